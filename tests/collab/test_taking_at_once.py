"""Frames that need not wait go past the consumer's task, unless an application wants to see them."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from backend.inbox import Inbox
from collab.consumers import HocuspocusConsumer, RoomConsumer
from collab.consumers.socket import SocketConsumer
from collab.engine.encoding import write_var_bytes
from collab.engine.protocol import create_update_message
from collab.models import Room
from tests.collab.hocuspocus.client import AUTHENTICATED, SAVED, token_message
from tests.collab.hocuspocus.scenes import application, token_of
from tests.engine.builders import typed
from tests.factories import make_room, make_user
from tests.support.asgi_server import Peer, serving

HELLO = create_update_message(typed(7, "hello"))


@pytest.fixture
def user(transactional_db: None) -> User:
    return make_user()


@pytest.fixture
def room(user: User) -> Room:
    return make_room(owner=user)


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> list[bytes | None]:
    """The frames that came by the tasks of consumers."""
    frames: list[bytes | None] = []

    def watch(kind: Any) -> None:
        receive = kind.receive

        async def watched(self: Any, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            frames.append(bytes_data)
            await receive(self, text_data=text_data, bytes_data=bytes_data)

        monkeypatch.setattr(kind, "receive", watched)

    watch(RoomConsumer)
    watch(HocuspocusConsumer)
    return frames


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("engine")
async def test_updates_of_both_protocols_go_past_the_task(
    room: Room, user: User, received: list[bytes | None]
) -> None:
    token = await token_of(user)
    address = write_var_bytes(str(room.pk).encode())
    async with serving(application) as (_, port):
        plain = Peer(port, f"ws/{room.pk}?token={token}&echo=1")
        await plain.open()
        await plain.read(until=lambda: plain.messages)
        other = Peer(port, "collaboration")
        await other.open()
        await other.read(until=lambda: other.status)
        other.send(address + token_message(token))
        await other.read(until=lambda: address + AUTHENTICATED in other.messages)
        other.send(address + HELLO)
        await plain.read(until=lambda: HELLO in plain.messages)
        await other.read(until=lambda: address + SAVED in other.messages)
        plain.send(create_update_message(typed(8, "hi")))
        await plain.read(until=lambda: create_update_message(typed(8, "hi")) in plain.messages)
        plain.leave()
        other.leave()
    assert received == [address + token_message(token)]


class Own(SocketConsumer):
    channel_layer_alias = ""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None: ...


class Naming(Own):
    """Has no look at frames."""

    name = "x"


class Reading(Own):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None: ...


class Counting(Own):
    async def dispatch(self, message: dict[str, Any]) -> None: ...


class Grouped(Own):
    channel_layer_alias = "default"


def inbox_of(kind: type[Own]) -> Inbox:
    inbox = Inbox()
    consumer = kind()
    consumer.scope = {"extensions": {"gatehouse.line": {"inbox": inbox}}}
    consumer.take_at_once(lambda frame: True, of=Own)
    return inbox


@pytest.mark.parametrize("kind", [Own, Naming])
def test_class_that_has_no_look_at_frames_lets_them_go_past(kind: type[Own]) -> None:
    assert inbox_of(kind).take is not None


@pytest.mark.parametrize("kind", [Reading, Counting])
def test_class_that_handles_frames_itself_sees_them_all(kind: type[Own]) -> None:
    assert inbox_of(kind).take is None


def test_class_on_a_channel_handles_one_message_after_the_other() -> None:
    assert inbox_of(Grouped).take is None


def test_line_of_another_server_is_left_alone() -> None:
    consumer = Own()
    consumer.scope = {"extensions": {}}
    consumer.take_at_once(lambda frame: True, of=Own)
