"""Presence through the consumers: the signed-in user, their new name, and an application's own people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from django.urls import path
from rest_framework_simplejwt.tokens import AccessToken

from accounts.middleware import JWTAuthMiddleware
from accounts.models import User
from accounts.services.users import rename_user
from collab.consumers import RoomConsumer, YjsConsumer
from collab.engine.awareness import AwarenessEntry, decode_awareness, encode_awareness
from collab.engine.identity import color_of
from collab.engine.protocol import AwarenessMessage, decode_message
from collab.models import Room
from collab.protocol import create_awareness_message
from tests.collab.client import WebsocketCommunicator
from tests.factories import make_room, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("engine")]

CLIENT = 7


class GuestConsumer(YjsConsumer):
    def presence_user(self) -> Mapping[str, Any] | None:
        return {"id": "guest-7", "name": "Guest"}


class BrokenConsumer(YjsConsumer):
    def presence_user(self) -> Mapping[str, Any] | None:
        return {"id": "guest-7", "name": "x" * 3000}


class PictureConsumer(RoomConsumer):
    def presence_user(self) -> Mapping[str, Any]:
        user = super().presence_user()
        return {**user, "avatar": f"/pictures/{user['name']}"}


application = JWTAuthMiddleware(
    URLRouter(
        [
            path("open/<str:room>", YjsConsumer.as_asgi()),
            path("guests/<str:room>", GuestConsumer.as_asgi()),
            path("broken/<str:room>", BrokenConsumer.as_asgi()),
            path("ws/<str:room>", RoomConsumer.as_asgi()),
            path("pictures/<str:room>", PictureConsumer.as_asgi()),
        ]
    )
)


@pytest.fixture
def user(transactional_db: None) -> User:
    return make_user(name="Ada")


@pytest.fixture
def room(user: User) -> Room:
    return make_room(owner=user)


async def opened(url: str) -> WebsocketCommunicator:
    socket = WebsocketCommunicator(application, url)
    assert (await socket.connect())[0]
    return socket


async def say(socket: WebsocketCommunicator, clock: int, state: str) -> None:
    entries = [AwarenessEntry(CLIENT, clock, state.encode())]
    await socket.send_bytes(create_awareness_message(encode_awareness(entries)))


async def heard(socket: WebsocketCommunicator) -> Any:
    """The next state of the client that this one is told of."""
    while True:
        message = decode_message(await socket.receive_bytes())
        if isinstance(message, AwarenessMessage):
            return json.loads(decode_awareness(message.awareness)[0].state)


@sync_to_async
def token_of(user: User) -> str:
    return str(AccessToken.for_user(user))


async def test_stored_room_shows_the_signed_in_user(user: User, room: Room) -> None:
    url = f"ws/{room.pk}?token={await token_of(user)}"
    one, other = await opened(url), await opened(url)
    await say(one, 0, '{"user":{"name":"Eve","id":"1","color":"red","x":1}}')
    who = {"id": str(user.pk), "name": "Ada", "color": color_of(str(user.pk)), "x": 1}
    assert await heard(other) == {"user": who}
    await one.disconnect()
    await other.disconnect()


@pytest.mark.parametrize("route", ["ws", "pictures"])
async def test_new_name_shows_with_the_next_state(user: User, room: Room, route: str) -> None:
    url = f"{route}/{room.pk}?token={await token_of(user)}"
    one, other = await opened(url), await opened(url)
    await say(one, 0, "{}")
    assert (await heard(other))["user"]["name"] == "Ada"
    await sync_to_async(rename_user)(user=user, name="Ada Lovelace")
    clock, shown = 0, "Ada"
    while shown == "Ada":  # the news is on its way; the test's time limit ends this
        clock += 1
        await say(one, clock, "{}")
        shown = (await heard(other))["user"]["name"]
    assert shown == "Ada Lovelace"
    await one.disconnect()
    await other.disconnect()


async def test_application_adds_to_the_signed_in_user(user: User, room: Room) -> None:
    url = f"pictures/{room.pk}?token={await token_of(user)}"
    one, other = await opened(url), await opened(url)
    await say(one, 0, '{"user":{"avatar":"javascript:"}}')
    assert (await heard(other))["user"]["avatar"] == "/pictures/Ada"
    await one.disconnect()
    await other.disconnect()


async def test_application_says_who_somebody_is_in_a_room_of_its_own() -> None:
    one, other = await opened("guests/lobby"), await opened("guests/lobby")
    await say(one, 0, '{"user":{"name":"Eve"}}')
    assert await heard(other) == {"user": {"id": "guest-7", "name": "Guest", "color": color_of("guest-7")}}
    await one.disconnect()
    await other.disconnect()


async def test_room_without_sign_in_shows_what_clients_say() -> None:
    one, other = await opened("open/lobby"), await opened("open/lobby")
    await say(one, 0, '{"user":{"name":"Eve"}}')
    assert await heard(other) == {"user": {"name": "Eve"}}
    await one.disconnect()
    await other.disconnect()


async def test_identity_that_can_not_be_sent_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    socket = await opened("broken/lobby")
    assert (await socket.receive_close())[0] == 1011
    assert "at most" in caplog.text
    await socket.disconnect()
