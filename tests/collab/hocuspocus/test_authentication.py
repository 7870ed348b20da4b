"""Whose document it is: tokens, and what the handshake came with."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError
from django.utils import timezone

from accounts.models import User
from accounts.services.tickets import issue_ticket
from accounts.tokens import Credential
from collab.consumers.session import NEEDS_TOKEN
from collab.engine.logged import GONE
from collab.engine.protocol import (
    create_sync_step_1_message,
    create_update_message,
)
from collab.models import Room
from tests.collab.hocuspocus.client import (
    AUTHENTICATED,
    READ_ONLY,
    HocuspocusDocument,
    denied_message,
    token_message,
)
from tests.collab.hocuspocus.scenes import (
    QUESTION,
    socket,
    token_of,
)
from tests.engine.builders import state_vector, typed
from tests.factories import make_room, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("engine")]


@pytest.mark.parametrize("version", ["4.8.0", None])
async def test_token_opens_the_document_with_its_scope(owner: User, user: User, version: str | None) -> None:
    room = await sync_to_async(make_room)(owner=owner, viewer=user)
    async with socket() as opened:
        await opened.send(room.pk, token_message(await token_of(user), version))
        assert await opened.receive() == (str(room.pk), READ_ONLY)
        await opened.send(f"{room.pk}\0of the owner", token_message(await token_of(owner), version))
        assert await opened.receive() == (f"{room.pk}\0of the owner", AUTHENTICATED)


async def test_address_is_repeated_as_it_came(room: Room, user: User) -> None:
    async with socket() as opened:
        await opened.send(str(room.pk).upper(), token_message(await token_of(user)))
        assert await opened.receive() == (str(room.pk).upper(), AUTHENTICATED)


async def test_frames_before_the_token_are_handled_in_order_after_it(room: Room, user: User) -> None:
    async with socket() as opened:
        await opened.send(room.pk, create_update_message(typed(7, "a", 0)))
        await opened.send(room.pk, create_update_message(typed(7, "b", 1)))
        await opened.send(room.pk, QUESTION)
        assert await opened.is_quiet()
        await opened.send(room.pk, token_message(await token_of(user)))
        assert await opened.receive() == (str(room.pk), AUTHENTICATED)
        await opened.wait_for(room.pk, create_sync_step_1_message(state_vector({7: 2})))


@pytest.mark.parametrize("name", ["unknown", "foreign", "without a grant", "trashed"])
async def test_rooms_one_may_not_have_are_denied_alike_and_the_socket_goes_on(
    name: str, room: Room, user: User, owner: User
) -> None:
    others = {
        "unknown": uuid4(),
        "foreign": (await sync_to_async(make_room)(owner=owner)).pk,
        "without a grant": (await sync_to_async(make_room)(room.organization, owner=owner)).pk,
        "trashed": (await sync_to_async(make_room)(editor=user, trashed_at=timezone.now())).pk,
    }
    token = await token_of(user)
    async with socket() as opened:
        await opened.send(others[name], QUESTION)
        await opened.send(others[name], token_message(token))
        await opened.send(others[name], QUESTION)
        assert await opened.receive() == (str(others[name]), denied_message(GONE))
        await opened.send(others[name], create_update_message(typed(7, "x")))
        assert await opened.is_quiet()
        open_document = HocuspocusDocument(opened, room.pk)
        await open_document.open(token)


async def test_name_that_is_no_room_id_is_denied(user: User) -> None:
    async with socket() as opened:
        await opened.send("lobby", token_message(await token_of(user)))
        _, message = await opened.receive()
        assert message == denied_message("The room name is not a room id; expected a UUID.")


@pytest.mark.parametrize(("token", "reason"), [("", NEEDS_TOKEN), ("nonsense", "Token is invalid.")])
async def test_bad_token_is_denied_and_a_better_one_may_follow(
    room: Room, user: User, token: str, reason: str
) -> None:
    async with socket() as opened:
        await opened.send(room.pk, token_message(token))
        assert await opened.receive() == (str(room.pk), denied_message(reason))
        await opened.send(room.pk, token_message(await token_of(user)))
        assert await opened.receive() == (str(room.pk), AUTHENTICATED)


async def test_database_that_does_not_answer_closes_1013(
    room: Room, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(raw: bytes) -> None:
        raise OperationalError("gone")

    token = await token_of(user)
    monkeypatch.setattr("accounts.middleware.authenticate_access_token", away)
    async with socket() as opened:
        await opened.send(room.pk, token_message(token))
        assert (await opened.receive_close())[0] == 1013


@pytest.mark.parametrize("way", ["header", "subprotocol", "query", "ticket"])
async def test_empty_token_is_made_good_by_what_the_handshake_came_with(
    room: Room, user: User, way: str
) -> None:
    token = await token_of(user)
    credential = Credential(user.pk, time.time() + 60)
    ticket = await sync_to_async(issue_ticket)(user=user, credential=credential, room_id=room.pk)
    query, scope = {
        "header": ("", {"headers": [(b"authorization", f"Bearer {token}".encode())]}),
        "subprotocol": ("", {"subprotocols": ["yjs", token]}),
        "query": (f"token={token}", {}),
        "ticket": (f"ticket={ticket}", {}),
    }[way]
    async with socket(query, **scope) as opened:
        await opened.send(room.pk, token_message(""))
        assert await opened.receive() == (str(room.pk), AUTHENTICATED)


async def test_what_the_handshake_came_with_is_found_first(room: Room, user: User) -> None:
    """As over y-websocket: also one that was refused."""
    stranger = await sync_to_async(make_user)()
    async with socket(f"token={await token_of(stranger)}") as opened:
        await opened.send(room.pk, token_message(await token_of(user)))
        assert await opened.receive() == (str(room.pk), denied_message(GONE))
    async with socket("token=nonsense") as opened:
        await opened.send(room.pk, token_message(await token_of(user)))
        assert await opened.receive() == (str(room.pk), denied_message("Token is invalid."))


async def test_ticket_of_another_room_gives_way_to_the_documents_own_token(
    room: Room, user: User, owner: User
) -> None:
    other = await sync_to_async(make_room)(owner=owner)
    credential = Credential(owner.pk, time.time() + 60)
    ticket = await sync_to_async(issue_ticket)(user=owner, credential=credential, room_id=other.pk)
    async with socket(f"ticket={ticket}") as opened:
        await opened.send(room.pk, token_message(""))
        assert await opened.receive() == (str(room.pk), denied_message(GONE))
        await opened.send(room.pk, token_message(await token_of(user)))
        assert await opened.receive() == (str(room.pk), AUTHENTICATED)
