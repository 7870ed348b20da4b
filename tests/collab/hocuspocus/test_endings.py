"""What ends a document, and what the socket with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async

from accounts.models import Origin, User
from accounts.services.sessions import begin_session, end_session
from collab.consumers import hocuspocus as hocuspocus_module
from collab.consumers import session as session_module
from collab.engine.leases import EXPIRED, REVOKED
from collab.engine.room import FULL_FOR_USER
from collab.live import LiveEngine, stop_engine
from collab.live_access import CREDENTIAL_ENDED
from collab.models import Room
from collab.services.connections import kick
from tests.collab.hocuspocus.client import (
    AUTHENTICATED,
    LEAVE,
    READ_ONLY,
    SAVED,
    TOKEN_WANTED,
    HocuspocusDocument,
    close_message,
    denied_message,
    token_message,
)
from tests.collab.hocuspocus.scenes import (
    QUESTION,
    document,
    in_roster,
    revoke,
    socket,
    token_of,
)
from tests.factories import add_to_room, make_room, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("engine")]


async def test_revoked_document_is_closed_and_the_socket_goes_on_for_the_others(
    room: Room, owner: User, user: User
) -> None:
    other_room = await sync_to_async(make_room)(editor=user)
    async with document(room, user) as opened:
        other = HocuspocusDocument(opened.socket, other_room.pk)
        await other.open(await token_of(user))
        await revoke(room, owner, user)
        assert await opened.receive() == denied_message(REVOKED)
        assert await opened.receive() == close_message(REVOKED)
        await opened.write("after")
        await other.write("goes on")
        await other.wait_for(SAVED)
        assert await opened.socket.is_quiet()
    async with document(room, owner) as newcomer:
        assert str(newcomer.text) == ""


async def test_last_document_that_is_revoked_closes_the_socket_4403(
    room: Room, owner: User, user: User
) -> None:
    async with document(room, user) as opened:
        await revoke(room, owner, user)
        assert await opened.receive() == denied_message(REVOKED)
        assert await opened.receive() == close_message(REVOKED)
        assert await opened.socket.receive_close() == (4403, REVOKED)


async def test_end_of_the_session_closes_4401(room: Room, user: User) -> None:
    refresh = await sync_to_async(begin_session)(user=user)
    async with socket() as opened:
        each = HocuspocusDocument(opened, room.pk)
        await each.open(str(refresh.access_token))
        await sync_to_async(end_session)(refresh=str(refresh), origin=Origin())
        assert await each.receive() == denied_message(CREDENTIAL_ENDED)
        assert await opened.receive_close() == (4401, CREDENTIAL_ENDED)


async def test_token_that_expires_closes_4401_after_a_newer_one_was_asked_for(room: Room, user: User) -> None:
    async with socket() as opened:
        each = HocuspocusDocument(opened, room.pk)
        await each.open(await token_of(user, lifetime_s=2))
        await each.wait_for(TOKEN_WANTED)
        assert await each.receive() == denied_message(EXPIRED)
        assert await opened.receive_close() == (4401, EXPIRED)


async def test_newer_token_keeps_the_document_open(room: Room, user: User) -> None:
    async with socket() as opened:
        each = HocuspocusDocument(opened, room.pk)
        ends_at = time.time() + 2
        await each.open(await token_of(user, lifetime_s=2))
        await each.wait_for(TOKEN_WANTED)
        await each.send(token_message(await token_of(user)))
        await each.wait_for(AUTHENTICATED)
        await asyncio.sleep(max(0.0, ends_at + 0.1 - time.time()))
        await each.write("still here")
        await each.wait_for(SAVED)


async def test_empty_token_on_an_open_document_changes_nothing(room: Room, user: User) -> None:
    async with document(room, user) as opened:
        await opened.send(token_message(""))
        assert await opened.socket.is_quiet()


@pytest.mark.parametrize("kind", ["nonsense", "of another user"])
async def test_newer_token_that_is_not_good_ends_the_document(
    room: Room, user: User, owner: User, kind: str
) -> None:
    async with document(room, user) as opened:
        await opened.send(token_message("x" if kind == "nonsense" else await token_of(owner)))
        assert (await opened.receive()).startswith(b"\x02\x01")
        assert (await opened.receive()).startswith(b"\x07")
        assert (await opened.socket.receive_close())[0] == 4401


async def test_document_that_is_revoked_while_a_newer_token_is_checked_is_closed_as_ever(
    room: Room, owner: User, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_asked, may_answer = asyncio.Event(), asyncio.Event()
    original = session_module.authenticate

    async def slow(*args: Any) -> Any:
        is_asked.set()
        await may_answer.wait()
        return await original(*args)

    token = await token_of(user)
    async with document(room, user) as opened:
        monkeypatch.setattr(session_module, "authenticate", slow)
        await opened.send(token_message(token))
        await is_asked.wait()
        await revoke(room, owner, user)
        await opened.wait_for(close_message(REVOKED))
        may_answer.set()
        assert (await opened.socket.receive_close())[0] == 4403


@asynccontextmanager
async def full_room(room: Room, user: User, engine: LiveEngine) -> AsyncIterator[list[HocuspocusDocument]]:
    """One in which the user has as many connections as may be; sessions of one socket count one by one."""
    async with socket() as opened:
        count = engine.limits.max_connections_per_user_and_room
        documents = [HocuspocusDocument(opened, f"{room.pk}\0{number}") for number in range(count)]
        for each in documents:
            await each.open(await token_of(user))
        yield documents


async def test_document_without_a_place_is_denied_and_the_socket_goes_on_for_the_others(
    room: Room, user: User, engine: LiveEngine
) -> None:
    token = await token_of(user)
    async with full_room(room, user, engine) as documents:
        opened = documents[0].socket
        refused = HocuspocusDocument(opened, f"{room.pk}\0one more")
        await refused.send(token_message(token))
        await refused.wait_for(denied_message(FULL_FOR_USER))
        await refused.write("passed over")
        other_room = await sync_to_async(make_room)(editor=user)
        await HocuspocusDocument(opened, other_room.pk).open(token)
        await documents[0].send(LEAVE)
        await refused.open(token)


async def test_socket_whose_only_document_has_no_place_closes_4429(
    room: Room, user: User, engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider comes back by itself after a close, and not after a denial."""
    monkeypatch.setattr(hocuspocus_module, "ALONE_S", 0.01)
    async with full_room(room, user, engine), socket() as opened:
        await opened.send(room.pk, token_message(await token_of(user)))
        assert await opened.receive() == (str(room.pk), denied_message(FULL_FOR_USER))
        assert await opened.receive_close() == (4429, FULL_FOR_USER)


async def test_server_that_goes_down_closes_4205(room: Room, user: User, engine: LiveEngine) -> None:
    async with document(room, user) as opened:
        engine.is_draining = True
        async with socket() as late:
            assert (await late.receive_close())[0] == 4205
        await stop_engine()
        assert (await opened.socket.receive_close())[0] == 4205


async def test_everything_is_left_when_the_client_goes(room: Room, user: User, engine: LiveEngine) -> None:
    async with document(room, user) as opened:
        await opened.socket.send(uuid4(), QUESTION)  # one that waits for its token
        live = engine.stored.find(str(room.pk))
        assert live is not None
        assert len(live.connections) == 1
    assert not live.connections


async def test_kicked_connection_is_closed(room: Room, owner: User, user: User) -> None:
    async with document(room, user) as opened:
        (row,) = await in_roster(room, 1)
        await sync_to_async(kick)(actor=owner, room_id=room.pk, connection_id=row.pk)
        assert (await opened.socket.receive_close())[0] == 4403


async def test_another_users_documents_share_a_socket(room: Room, user: User, owner: User) -> None:
    """Each document has a token of its own; what ends one user's leaves the other's alone."""
    third = await sync_to_async(make_user)()
    await sync_to_async(add_to_room)(room, third, "viewer")
    async with socket() as opened:
        first = HocuspocusDocument(opened, f"{room.pk}\0first")
        second = HocuspocusDocument(opened, f"{room.pk}\0second")
        await first.open(await token_of(user))
        await second.send(token_message(await token_of(third)))
        await second.wait_for(READ_ONLY)
        await revoke(room, owner, third)
        await second.wait_for(close_message(REVOKED))
        await first.write("goes on")
        await first.wait_for(SAVED)
