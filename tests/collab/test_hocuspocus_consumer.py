"""`HocuspocusConsumer`: every message of the protocol, and what ends a document or the socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from django.db import OperationalError
from django.urls import path
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from accounts.middleware import JWTAuthMiddleware
from accounts.models import Origin, User
from accounts.services.sessions import begin_session, end_session
from accounts.services.tickets import issue_ticket
from accounts.tokens import Credential
from collab.consumers import HocuspocusConsumer, RoomConsumer, send_stateless
from collab.consumers import hocuspocus as hocuspocus_module
from collab.consumers import session as session_module
from collab.consumers.document import NO_TOKEN_IN_TIME
from collab.consumers.hocuspocus import UNAUTHENTICATED
from collab.consumers.session import NEEDS_TOKEN
from collab.engine.errors import MessageTooBigError
from collab.engine.leases import EXPIRED, REVOKED
from collab.engine.logged import GONE
from collab.engine.protocol import (
    create_awareness_message,
    create_sync_step_1_message,
    create_sync_step_2_message,
    create_update_message,
)
from collab.live import LiveEngine, stop_engine
from collab.live_access import CREDENTIAL_ENDED
from collab.models import LiveConnection, Room, RoomRole, StoredUpdate
from collab.services.connections import kick
from collab.services.members import change_room_member_role, remove_room_member
from tests.collab.client import YjsClient, connected
from tests.collab.hocuspocus import (
    AUTHENTICATED,
    LEAVE,
    READ_ONLY,
    REFUSED,
    SAVED,
    TOKEN_WANTED,
    HocuspocusDocument,
    HocuspocusSocket,
    close_message,
    denied_message,
    stateless_message,
    token_message,
)
from tests.engine.builders import state_vector, typed, update, var_bytes
from tests.factories import add_to_room, make_room, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("engine")]

application = JWTAuthMiddleware(
    URLRouter(
        [
            path("collaboration", HocuspocusConsumer.as_asgi()),
            path("ws/<str:room>", RoomConsumer.as_asgi()),
        ]
    )
)
QUESTION = create_sync_step_1_message(state_vector({}))


@pytest.fixture
def owner(transactional_db: None) -> User:
    return make_user()


@pytest.fixture
def user(transactional_db: None) -> User:
    return make_user()


@pytest.fixture
def room(owner: User, user: User) -> Room:
    return make_room(owner=owner, editor=user)


@sync_to_async
def token_of(user: User, *, lifetime_s: int | None = None) -> str:
    token = AccessToken.for_user(user)
    if lifetime_s is not None:
        token.payload["exp"] = int(time.time()) + lifetime_s  # claims are whole seconds
    return str(token)


@asynccontextmanager
async def socket(query: str = "", **scope: object) -> AsyncIterator[HocuspocusSocket]:
    opened = await HocuspocusSocket.open(application, query, **scope)
    yield opened
    await opened.disconnect()


@asynccontextmanager
async def document(room: Room, user: User) -> AsyncIterator[HocuspocusDocument]:
    """A document that is level, alone on its socket."""
    async with socket() as opened:
        opened_document = HocuspocusDocument(opened, room.pk)
        await opened_document.open(await token_of(user))
        yield opened_document


@asynccontextmanager
async def y_websocket(room: Room, user: User) -> AsyncIterator[YjsClient]:
    async with connected(application, f"ws/{room.pk}?token={await token_of(user)}") as client:
        yield client


async def in_roster(room: Room, count: int) -> list[LiveConnection]:
    """Those who are connected, when there are so many."""
    rows = LiveConnection.objects.filter(room=room)
    while await rows.acount() != count:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return [row async for row in rows]


@sync_to_async
def make_role(room: Room, owner: User, user: User, role: RoomRole) -> None:
    member = room.members.get(user=user)
    change_room_member_role(actor=owner, room_id=room.pk, member_id=member.pk, role=role)


@sync_to_async
def revoke(room: Room, owner: User, user: User) -> None:
    remove_room_member(actor=owner, room_id=room.pk, member_id=room.members.get(user=user).pk)


# -- authentication of a document


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


# -- limits before authentication


async def test_socket_that_nobody_authenticates_closes_4408(engine: LiveEngine) -> None:
    engine.limits = replace(engine.limits, auth_timeout_s=0)
    async with socket() as opened:
        assert await opened.receive_close() == (4408, UNAUTHENTICATED)


async def test_document_whose_token_does_not_come_closes_4408(
    room: Room, user: User, engine: LiveEngine
) -> None:
    async with document(room, user) as opened:
        engine.limits = replace(engine.limits, auth_timeout_s=0)
        await opened.socket.send(uuid4(), QUESTION)
        assert await opened.socket.receive_close() == (4408, NO_TOKEN_IN_TIME)


async def test_too_many_bytes_before_their_tokens_close_4429(engine: LiveEngine) -> None:
    """Of all documents of the socket together."""
    engine.limits = replace(engine.limits, max_unauthenticated_bytes=3000)
    first, second = uuid4(), uuid4()
    async with socket() as opened:
        await opened.send(first, create_update_message(bytes(1400)))
        await opened.send(second, create_update_message(bytes(1400)))
        assert await opened.is_quiet()
        await opened.send(first, create_update_message(bytes(200)))
        assert (await opened.receive_close())[0] == 4429


async def test_too_many_documents_before_their_tokens_close_4429(engine: LiveEngine) -> None:
    async with socket() as opened:
        for _ in range(engine.limits.max_unauthenticated_rooms):
            await opened.send(uuid4(), QUESTION)
        assert await opened.is_quiet()
        await opened.send(uuid4(), QUESTION)
        assert (await opened.receive_close())[0] == 4429


async def test_as_many_documents_as_there_are_may_come_with_their_tokens_at_once(
    user: User, engine: LiveEngine
) -> None:
    """Those beyond the limit wait until others were checked; no honest client is sent away."""
    engine.limits = replace(engine.limits, max_unauthenticated_rooms=3, max_unauthenticated_bytes=200)
    rooms = [await sync_to_async(make_room)(editor=user) for _ in range(12)]
    token = await token_of(user)
    async with socket() as opened:
        for room in rooms:
            await opened.send(room.pk, token_message(token))
            await opened.send(room.pk, create_update_message(typed(7, "x" * 300)))
        confirmed = set()
        while len(confirmed) < len(rooms):
            address, message = await opened.receive()
            if message == SAVED:
                confirmed.add(address)
    assert confirmed == {str(room.pk) for room in rooms}


async def test_document_that_is_left_before_its_token_came_waits_for_none(
    room: Room, user: User, engine: LiveEngine
) -> None:
    async with document(room, user) as opened:
        engine.limits = replace(engine.limits, max_unauthenticated_rooms=1)
        for _ in range(3):
            address = uuid4()
            await opened.socket.send(address, QUESTION)
            await opened.socket.send(address, LEAVE)
        assert await opened.socket.is_quiet()


async def test_messages_that_are_for_no_open_document_are_counted(engine: LiveEngine) -> None:
    engine.limits = replace(engine.limits, messages_per_s=1, message_burst=10)
    async with socket() as opened:
        for _ in range(11):
            await opened.communicator.send_bytes(b"\x0a")
        assert (await opened.receive_close())[0] == 4429


async def test_too_many_refused_documents_close_4429(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hocuspocus_module, "MAX_REFUSED", 2)
    token = await token_of(user)
    async with socket() as opened:
        for _ in range(3):
            await opened.send(uuid4(), token_message(token))
        assert (await opened.receive_close())[0] == 4429


# -- documents


async def test_clients_of_both_protocols_share_a_room(room: Room, user: User, owner: User) -> None:
    async with (
        document(room, user) as first,
        document(room, owner) as second,
        y_websocket(room, user) as third,
    ):
        await first.write("one ")
        await third.wait_for_text("one ")
        await second.wait_for_text("one ")
        await third.write("two ")
        await first.wait_for_text("one two ")
        await second.wait_for_text("one two ")
        await second.write("three")
        await third.wait_for_text("one two three")


async def test_sync_status_comes_when_the_update_is_in_the_database(room: Room, user: User) -> None:
    async with document(room, user) as opened:
        before = await StoredUpdate.objects.filter(room=room).acount()
        await opened.write("kept")
        await opened.wait_for(SAVED)
        assert await StoredUpdate.objects.filter(room=room).acount() == before + 1


async def test_many_documents_on_one_socket_are_rooms_of_their_own(user: User) -> None:
    rooms = [await sync_to_async(make_room)(editor=user) for _ in range(3)]
    async with socket() as opened:
        documents = [HocuspocusDocument(opened, room.pk) for room in rooms]
        for each in documents:
            await each.open(await token_of(user))
        for number, each in enumerate(documents):
            await each.write(str(number))
            await each.wait_for(SAVED)
        for number, room in enumerate(rooms):
            async with document(room, user) as newcomer:
                assert str(newcomer.text) == str(number)


async def test_two_sessions_of_a_document_on_one_socket_are_two_connections(room: Room, user: User) -> None:
    async with socket() as opened:
        first = HocuspocusDocument(opened, f"{room.pk}\0abc")
        second = HocuspocusDocument(opened, f"{room.pk}\0xyz")
        for each in (first, second):
            await each.open(await token_of(user))
        await first.write("from the first")
        await second.wait_for_text("from the first")
        await first.send(LEAVE)
        await second.write(", from the second")
        await second.wait_for(SAVED)
        assert await opened.is_quiet(), "nothing comes for the one that has left"


async def test_document_is_in_the_roster_until_it_is_left(room: Room, user: User, engine: LiveEngine) -> None:
    async with document(room, user) as opened:
        (row,) = await in_roster(room, 1)
        assert (row.protocol, row.user_id, row.role) == ("hocuspocus", user.pk, "editor")
        await opened.send(LEAVE)
        await in_roster(room, 0)


async def test_document_that_was_left_can_be_opened_again(room: Room, user: User) -> None:
    async with document(room, user) as opened:
        await opened.write("before")
        await opened.wait_for(SAVED)
        await opened.send(LEAVE)
        again = HocuspocusDocument(opened.socket, room.pk)
        await again.open(await token_of(user))
        assert str(again.text) == "before"


async def test_presence_reaches_the_other_protocol_and_goes_when_the_document_is_left(
    room: Room, user: User
) -> None:
    message = create_awareness_message(b"\x01\x07\x01" + var_bytes(b'{"cursor": 3}'))
    async with y_websocket(room, user) as other, document(room, user) as opened:
        await opened.send(message)
        seen = await other.communicator.receive_bytes()
        assert seen.startswith(b"\x01")
        assert b'"cursor"' in seen
        await opened.send(b"\x03")
        assert await opened.receive() == seen
        await opened.send(LEAVE)
        assert await other.communicator.receive_bytes() == create_awareness_message(b"\x01\x07\x02\x04null")


# -- reading only


@pytest.mark.parametrize(
    ("what", "message", "status"),
    [
        ("an update", create_update_message(typed(9, "x")), REFUSED),
        ("an answer", create_sync_step_2_message(typed(9, "x")), REFUSED),
        ("a deletion", create_sync_step_2_message(update(deletes={7: [(0, 1)]})), REFUSED),
        ("nothing new", create_sync_step_2_message(typed(7, "there")), SAVED),
    ],
)
async def test_viewer_is_told_what_became_of_a_write(
    owner: User, user: User, what: str, message: bytes, status: bytes
) -> None:
    room = await sync_to_async(make_room)(owner=owner, viewer=user)
    async with document(room, owner) as writer:
        await writer.send(create_update_message(typed(7, "there")))
        await writer.wait_for(SAVED)
    count = await StoredUpdate.objects.filter(room=room).acount()
    async with document(room, user) as opened:
        await opened.send(message)
        assert await opened.receive() == status, what
    assert await StoredUpdate.objects.filter(room=room).acount() == count


async def test_role_that_changes_is_told_and_holds_at_once(room: Room, owner: User, user: User) -> None:
    async with document(room, user) as opened:
        await make_role(room, owner, user, RoomRole.VIEWER)
        await opened.wait_for(READ_ONLY)
        await opened.write("typed as a viewer")
        await opened.wait_for(REFUSED)
        await make_role(room, owner, user, RoomRole.EDITOR)
        await opened.wait_for(AUTHENTICATED)
        await opened.wait_for(SAVED)
        async with document(room, owner) as other:
            assert str(other.text) == "typed as a viewer"


# -- the end of a document, and of the socket


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


async def test_one_connection_too_many_closes_4429(room: Room, user: User, engine: LiveEngine) -> None:
    """Sessions of one socket count one by one."""
    async with socket() as opened:
        for number in range(engine.limits.max_connections_per_user_and_room):
            await HocuspocusDocument(opened, f"{room.pk}\0{number}").open(await token_of(user))
        await opened.send(f"{room.pk}\0one more", token_message(await token_of(user)))
        assert (await opened.receive_close())[0] == 4429


@pytest.mark.parametrize(
    "frame",
    ["", "00", "0161", "02c32803", "016106026869", "01610801", "0161020100", "0161800000", "01610003020000"],
)
async def test_malformed_frame_closes_4400(room: Room, user: User, frame: str) -> None:
    async with document(room, user) as opened:
        await opened.socket.communicator.send_bytes(bytes.fromhex(frame))
        assert (await opened.socket.receive_close())[0] == 4400


async def test_text_frame_closes_4400() -> None:
    async with socket() as opened:
        await opened.communicator.send_text("{}")
        assert (await opened.receive_close())[0] == 4400


@pytest.mark.parametrize("message", ["00ff", "000203aabbcc", "0102aabb", "0602aabb", "08 01", "09"])
async def test_malformed_message_to_an_open_document_closes_4400(
    room: Room, user: User, message: str
) -> None:
    async with document(room, user) as opened:
        await opened.send(bytes.fromhex(message))
        assert (await opened.socket.receive_close())[0] == 4400


async def test_messages_beyond_the_rate_close_4429(room: Room, user: User, engine: LiveEngine) -> None:
    engine.limits = replace(engine.limits, messages_per_s=1, message_burst=10)
    async with document(room, user) as opened:
        for _ in range(10):
            await opened.send(b"\x03")
        assert (await opened.socket.receive_close())[0] == 4429


async def test_message_that_is_too_big_closes_1009(room: Room, user: User, engine: LiveEngine) -> None:
    async with document(room, user) as opened:
        await opened.send(create_update_message(bytes(engine.limits.max_message_bytes)))
        assert (await opened.socket.receive_close())[0] == 1009


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


# -- the line


async def test_ping_is_answered_with_a_pong() -> None:
    async with socket() as opened:
        await opened.communicator.send_bytes(b"\x09")
        assert await opened.communicator.receive_bytes() == b"\x0a"


async def test_socket_without_an_open_document_is_kept_alive(
    user: User, engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of somebody who was let in once: providers would come back for ever otherwise."""
    monkeypatch.setattr(hocuspocus_module, "SILENT_S", 0.01)
    engine.limits = replace(engine.limits, auth_timeout_s=1)
    async with socket() as opened:
        room_id = uuid4()
        await opened.send(room_id, token_message(await token_of(user)))
        assert await opened.receive() == (str(room_id), denied_message(GONE))
        assert await opened.communicator.receive_output(timeout=5) == {
            "type": "websocket.send",
            "bytes": bytes.fromhex("00010100"),
        }


# -- Stateless


async def test_stateless_reaches_the_other_hocuspocus_clients_of_the_room(
    room: Room, user: User, owner: User
) -> None:
    async with (
        document(room, user) as first,
        document(room, owner) as second,
        y_websocket(room, user) as third,
    ):
        await first.send(stateless_message("hello"))
        await second.wait_for(stateless_message("hello"))
        assert await first.socket.is_quiet()
        await second.write("typed")
        assert (await third.communicator.receive_bytes())[:2] == b"\x00\x02", "nothing before that"


async def test_stateless_that_is_too_long_closes_1009(room: Room, user: User) -> None:
    async with document(room, user) as opened:
        await opened.send(stateless_message("x" * 65_537))
        assert (await opened.socket.receive_close())[0] == 1009


async def test_stateless_from_synchronous_code_reaches_the_room(room: Room, user: User) -> None:
    other_room = await sync_to_async(make_room)(editor=user)
    async with document(room, user) as opened, document(other_room, user) as other:
        await sync_to_async(send_stateless)(room.pk, "né")
        await opened.wait_for(stateless_message("né"))
        assert await other.socket.is_quiet()


def test_stateless_from_synchronous_code_is_bounded() -> None:
    with pytest.raises(MessageTooBigError):
        send_stateless(UUID(int=0), "é" * 40_000)


# -- kicks


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
