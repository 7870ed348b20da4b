"""`RoomConsumer`: what a socket came in with is good for, and newer tokens on the open socket."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import path
from rest_framework_simplejwt.tokens import AccessToken

from accounts.middleware import JWTAuthMiddleware
from accounts.models import Origin, Session, User
from accounts.services.sessions import begin_session, end_session
from accounts.services.tickets import INVALID, issue_ticket
from accounts.tokens import MAX_TOKEN_BYTES, Credential
from collab import live_access
from collab.consumers import RoomConsumer
from collab.engine.leases import EXPIRED
from collab.engine.logged import GONE
from collab.engine.protocol import create_permission_denied_message
from collab.live import LiveEngine
from collab.live_access import CREDENTIAL_ENDED
from collab.models import Room
from tests.collab.client import WebsocketCommunicator, YjsClient
from tests.factories import make_room, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("engine")]

application = JWTAuthMiddleware(URLRouter([path("ws/<str:room>", RoomConsumer.as_asgi())]))


@pytest.fixture
def user(transactional_db: None) -> User:
    return make_user()


@pytest.fixture
def room(user: User) -> Room:
    return make_room(editor=user)


async def opened(room_id: UUID | str, query: str) -> WebsocketCommunicator:
    """A socket that was accepted, be it only to be told why not."""
    communicator = WebsocketCommunicator(application, f"ws/{room_id}?{query}")
    is_open, _ = await communicator.connect()
    assert is_open
    return communicator


async def close_code(room_id: UUID | str, query: str) -> tuple[int, str]:
    communicator = await opened(room_id, query)
    closed = await communicator.receive_close()
    await communicator.disconnect()
    return closed


@asynccontextmanager
async def joined(room: Room, query: str) -> AsyncIterator[YjsClient]:
    client = YjsClient(await opened(room.pk, query))
    await client.synchronize()
    yield client
    await client.communicator.disconnect()


async def assert_closed(client: YjsClient, code: int, reason: str) -> None:
    """It is told the reason, and closed."""
    frames = []
    while (message := await client.communicator.receive_output(timeout=10))["type"] == "websocket.send":
        frames.append(message["bytes"])
    assert (message["code"], message["reason"]) == (code, reason)
    assert frames[-1] == create_permission_denied_message(reason)


async def assert_goes_on(client: YjsClient) -> None:
    """Still there, and sent nothing as text."""
    await client.synchronize()


@sync_to_async
def token_of(user: User, **fields: Any) -> str:
    token = AccessToken.for_user(user)
    if (lifetime_s := fields.pop("lifetime_s", None)) is not None:
        token.payload["exp"] = int(time.time()) + lifetime_s  # claims are whole seconds
    token.payload.update(fields)
    return str(token)


@sync_to_async
def ticket_of(user: User, room_id: UUID, **fields: Any) -> str:
    credential = Credential(user.pk, time.time() + 60, **fields)
    return issue_ticket(user=user, credential=credential, room_id=room_id)


def message(token: str) -> str:
    return json.dumps({"token": token})


# -- tickets


async def test_ticket_for_another_room_is_4403(user: User, room: Room) -> None:
    other = await sync_to_async(make_room)(owner=user)
    assert await close_code(other.pk, f"ticket={await ticket_of(user, room.pk)}") == (4403, GONE)


async def test_ticket_for_a_room_that_is_no_room_id_is_4400(user: User, room: Room) -> None:
    code, _ = await close_code("lobby", f"ticket={await ticket_of(user, room.pk)}")
    assert code == 4400


async def test_ticket_of_someone_without_access_is_4403(room: Room) -> None:
    stranger = await sync_to_async(make_user)()
    assert await close_code(room.pk, f"ticket={await ticket_of(stranger, room.pk)}") == (4403, GONE)


async def test_ticket_used_twice_is_refused_and_closes_the_socket_that_it_let_in(
    user: User, room: Room
) -> None:
    ticket = await ticket_of(user, room.pk)
    async with joined(room, f"ticket={ticket}") as client:
        assert await close_code(room.pk, f"ticket={ticket}") == (4401, INVALID)
        await assert_closed(client, 4401, CREDENTIAL_ENDED)


async def test_ticket_used_twice_leaves_other_sockets_alone(user: User, room: Room) -> None:
    ticket, other = await ticket_of(user, room.pk), await ticket_of(user, room.pk)
    async with joined(room, f"ticket={other}") as client:
        async with joined(room, f"ticket={ticket}") as closed:
            await close_code(room.pk, f"ticket={ticket}")
            await assert_closed(closed, 4401, CREDENTIAL_ENDED)
        await assert_goes_on(client)


async def test_socket_of_a_ticket_ends_with_the_token_it_was_asked_for_with(user: User, room: Room) -> None:
    credential = Credential(user.pk, time.time() + 0.3)
    ticket = await sync_to_async(issue_ticket)(user=user, credential=credential, room_id=room.pk)
    async with joined(room, f"ticket={ticket}") as client:
        await assert_closed(client, 4401, EXPIRED)


# -- what ends a credential


async def test_session_that_is_ended_closes_its_socket_and_no_other(user: User, room: Room) -> None:
    refresh = await sync_to_async(begin_session)(user=user)
    other = await sync_to_async(begin_session)(user=user)
    async with joined(room, f"token={other.access_token}") as stays:
        async with joined(room, f"token={refresh.access_token}") as client:
            await sync_to_async(end_session)(refresh=str(refresh), origin=Origin())
            await assert_closed(client, 4401, CREDENTIAL_ENDED)
        await assert_goes_on(stays)


async def test_session_whose_end_nobody_announced_closes_its_socket_by_the_sweep(
    user: User, room: Room, engine: LiveEngine
) -> None:
    refresh = await sync_to_async(begin_session)(user=user)
    async with joined(room, f"token={refresh.access_token}") as client:
        await Session.objects.all().aupdate(ended_at="2026-01-01T00:00:00Z")
        await engine.leases.sweep()
        await assert_closed(client, 4401, CREDENTIAL_ENDED)


async def test_new_password_closes_sockets_of_tokens_with_and_without_a_session(
    user: User, room: Room
) -> None:
    refresh = await sync_to_async(begin_session)(user=user)
    ticket = await ticket_of(user, room.pk, password_fingerprint=refresh["hash_password"])
    queries = [f"token={refresh.access_token}", f"token={await token_of(user)}", f"ticket={ticket}"]
    clients = [YjsClient(await opened(room.pk, query)) for query in queries]
    for client in clients:
        await client.synchronize()
    user.set_password("another")
    await user.asave()
    for client in clients:
        await assert_closed(client, 4401, CREDENTIAL_ENDED)
        await client.communicator.disconnect()


# -- newer tokens


async def test_newer_token_keeps_the_socket_past_the_end_of_the_first(
    user: User, room: Room, engine: LiveEngine
) -> None:
    short = await token_of(user, lifetime_s=2)
    async with joined(room, f"token={short}") as client, joined(room, f"token={short}") as other:
        await client.communicator.send_text(message(await token_of(user, lifetime_s=600)))
        await assert_closed(other, 4401, EXPIRED)
        await assert_goes_on(client)


async def test_newer_token_that_ends_first_ends_the_socket(user: User, room: Room) -> None:
    async with joined(room, f"token={await token_of(user)}") as client:
        await client.communicator.send_text(message(await token_of(user, lifetime_s=2)))
        await assert_closed(client, 4401, EXPIRED)


async def test_newer_token_binds_the_socket_to_its_own_session(user: User, room: Room) -> None:
    old, new = [await sync_to_async(begin_session)(user=user) for _ in range(2)]
    async with joined(room, f"token={old.access_token}") as client:
        await client.communicator.send_text(message(str(new.access_token)))
        await assert_goes_on(client)
        await sync_to_async(end_session)(refresh=str(old), origin=Origin())
        await assert_goes_on(client)
        await sync_to_async(end_session)(refresh=str(new), origin=Origin())
        await assert_closed(client, 4401, CREDENTIAL_ENDED)


async def test_expired_token_on_the_open_socket_closes_it(user: User, room: Room) -> None:
    async with joined(room, f"token={await token_of(user)}") as client:
        await client.communicator.send_text(message(await token_of(user, lifetime_s=-1)))
        await assert_closed(client, 4401, "Token is expired.")


async def test_garbage_as_token_closes_4401(user: User, room: Room) -> None:
    async with joined(room, f"token={await token_of(user)}") as client:
        await client.communicator.send_text(message("garbage"))
        await assert_closed(client, 4401, "Token is invalid.")


async def test_ticket_as_newer_token_closes_4401(user: User, room: Room) -> None:
    async with joined(room, f"token={await token_of(user)}") as client:
        await client.communicator.send_text(message(await ticket_of(user, room.pk)))
        await assert_closed(client, 4401, "Token is invalid.")


async def test_token_of_another_user_closes_4401_whatever_they_may_do(user: User, room: Room) -> None:
    owner = await sync_to_async(make_user)()
    owned = await sync_to_async(make_room)(owner=owner, editor=user)
    async with joined(owned, f"token={await token_of(user)}") as client:
        await client.communicator.send_text(message(await token_of(owner)))
        await assert_closed(client, 4401, "The token is another user's; connect again with it.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "null",
        "token",
        '{"token": 5}',
        '{"token": null}',
        '{"token": ["x"]}',
        '[["token", "x"]]',
        '{"token": "x", "more": 1}',
        '{"token": "x", "token": "y"}',
        '{"Token": "x"}',
        '{"token": "x"} {"token": "x"}',
        '{"token": "' + "x" * (MAX_TOKEN_BYTES + 100) + '"}',
        "[" * 5000,
        '{"token": {"token": "x"}}',
    ],
    ids=range(15),
)
async def test_any_other_text_closes_4400(user: User, room: Room, text: str) -> None:
    async with joined(room, f"token={await token_of(user)}") as client:
        await client.communicator.send_text(text)
        code, _ = await client.communicator.receive_close()
        assert code == 4400


@pytest.mark.parametrize("token", ["\\ud800", "\\u0000", "", "x" * MAX_TOKEN_BYTES, "é" * 5000])
async def test_odd_token_closes_4401(user: User, room: Room, token: str) -> None:
    async with joined(room, f"token={await token_of(user)}") as client:
        await client.communicator.send_text('{"token": "' + token + '"}')
        code, _ = await client.communicator.receive_close()
        assert code == 4401


async def test_tokens_count_as_messages(user: User, room: Room, engine: LiveEngine) -> None:
    engine.limits = replace(engine.limits, messages_per_s=1, message_burst=10)
    token = message(await token_of(user))
    async with joined(room, f"token={await token_of(user)}") as client:
        for _ in range(10):
            await client.communicator.send_text(token)
        code, _ = await client.communicator.receive_close()
        assert code == 4429


async def test_database_that_does_not_answer_closes_1013(
    user: User, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(raw: bytes) -> None:
        raise OperationalError("gone")

    token = await token_of(user)
    async with joined(room, f"token={token}") as client:
        monkeypatch.setattr("accounts.middleware.authenticate_access_token", away)
        await client.communicator.send_text(message(token))
        code, _ = await client.communicator.receive_close()
        assert code == 1013


async def test_user_without_access_any_more_is_not_let_in_by_a_newer_token(
    user: User, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with joined(room, f"token={await token_of(user)}") as client:
        monkeypatch.setattr(live_access, "find_room_access", lambda *args: None)
        await client.communicator.send_text(message(await token_of(user)))
        code, _ = await client.communicator.receive_close()
        assert code == 4403


# -- what it costs


async def test_connecting_is_one_query_to_authenticate_and_one_for_access(
    user: User, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: dict[str, int] = {}

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            with CaptureQueriesContext(connection) as queries:
                found = function(*args)
            counts[name] = len(queries)
            return found

        return call

    from accounts import middleware

    monkeypatch.setattr(
        middleware, "authenticate_access_token", counting("token", middleware.authenticate_access_token)
    )
    monkeypatch.setattr(live_access, "find_room_access", counting("access", live_access.find_room_access))
    refresh = await sync_to_async(begin_session)(user=user)
    async with joined(room, f"token={refresh.access_token}"):
        assert counts == {"token": 1, "access": 1}
