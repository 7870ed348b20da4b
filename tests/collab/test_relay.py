"""The relay: one suite for the version in memory and the one over a channel layer, in process and Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from channels.layers import InMemoryChannelLayer
from redis.asyncio import Redis

from accounts.epochs import announce_access_change
from backend.layer import RedisLayer
from collab import relay as relay_module
from collab.engine.errors import UnavailableError
from collab.engine.memory import MemoryHub
from collab.engine.ports import (
    BroadcastFrame,
    CommittedRows,
    PeerQuestion,
    PeerUpdate,
    PresenceChanged,
    PresenceQuestion,
    Relay,
    RelayMessage,
    StatelessMessage,
)
from collab.live import LiveEngine, end_tasks
from collab.models import Room
from collab.relay import STORED, LayerRelay, group_name, publish_access_change, send_stateless
from tests.support.redis import RedisServer

ROOM = "a room, with ünïcödé"
MESSAGES = [
    CommittedRows(ROOM, 7, ((6, b"\x00\xff"), (7, b""))),
    CommittedRows(ROOM, 8, ()),
    PeerUpdate(ROOM, b"\x01\x02"),
    PeerQuestion(ROOM, b"\x00", b"digest"),
    PresenceChanged(ROOM, "connection", None, b"\x00"),
    PresenceChanged(ROOM, "connection", "user", b"\x00"),
    PresenceQuestion(ROOM),
    BroadcastFrame(ROOM, b"\x03"),
    StatelessMessage(ROOM, "né"),
]


class Heard:
    """What one process has heard."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[RelayMessage] = asyncio.Queue()

    def __call__(self, message: RelayMessage) -> None:
        self._messages.put_nowait(message)

    async def next(self) -> RelayMessage:
        async with asyncio.timeout(5):
            return await self._messages.get()

    def is_empty(self) -> bool:
        return self._messages.empty()


async def hears(sender: Relay, receiver: Relay) -> None:
    """Wait until what one sends reaches the other: a layer takes a moment to know its subscribers."""
    heard = Heard()
    await receiver.subscribe("probe", heard)
    while heard.is_empty():
        await sender.publish(PresenceQuestion("probe"))
        await asyncio.sleep(0.01)
    await receiver.unsubscribe("probe")


@pytest.fixture(params=["memory", "in-process layer", "Redis"])
async def relays(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Relay, Relay]]:
    """The relays of two processes that hear each other."""
    if request.param == "memory":
        hub = MemoryHub()
        yield hub.relay(), hub.relay()
        return
    if request.param == "Redis":
        redis: RedisServer = request.getfixturevalue("redis")
        layers = [RedisLayer([redis.url]) for _ in range(2)]
    else:
        layers = [InMemoryChannelLayer()] * 2
    relays = [LayerRelay(layer, lambda object_id: None) for layer in layers]
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    one, two = (relay.in_namespace("tests") for relay in relays)
    await hears(one, two)
    await hears(two, one)
    yield one, two
    await end_tasks(tasks)
    for layer in layers:
        if isinstance(layer, RedisLayer):
            await layer.flush()
            await layer.close_pools()


@pytest.mark.parametrize("message", MESSAGES, ids=[type(message).__name__ for message in MESSAGES])
async def test_message_reaches_the_other_process_as_it_was(
    relays: tuple[Relay, Relay], message: RelayMessage
) -> None:
    one, two = relays
    heard = Heard()
    await two.subscribe(ROOM, heard)
    await one.publish(message)
    assert await heard.next() == message


async def test_message_does_not_come_back_to_its_sender(relays: tuple[Relay, Relay]) -> None:
    one, two = relays
    own, others = Heard(), Heard()
    await one.subscribe(ROOM, own)
    await two.subscribe(ROOM, others)
    await one.publish(PresenceQuestion(ROOM))
    await others.next()
    await two.publish(PeerUpdate(ROOM, b"answer"))
    assert await own.next() == PeerUpdate(ROOM, b"answer")


async def test_messages_of_a_room_keep_their_order(relays: tuple[Relay, Relay]) -> None:
    one, two = relays
    heard = Heard()
    await two.subscribe(ROOM, heard)
    sent = [PeerUpdate(ROOM, bytes([number])) for number in range(20)]
    for message in sent:
        await one.publish(message)
    assert [await heard.next() for _ in sent] == sent


async def test_messages_of_many_rooms_sent_together_reach_those_who_have_them_in_order(
    relays: tuple[Relay, Relay],
) -> None:
    one, two = relays
    heard = {f"room {number}": Heard() for number in range(3)}
    for room, ears in heard.items():
        await two.subscribe(room, ears)
    rooms = [*heard, "a room that nobody has"]
    sent = [PeerUpdate(rooms[number % 4], bytes([number])) for number in range(40)]
    await one.publish(*sent)
    for room, ears in heard.items():
        expected = [message for message in sent if message.room == room]
        assert [await ears.next() for _ in expected] == expected


async def test_messages_sent_together_cross_redis_as_one(redis: RedisServer) -> None:
    layers = [RedisLayer([redis.url]) for _ in range(2)]
    received: list[str] = []
    relays = [LayerRelay(layer, lambda object_id: None) for layer in layers]
    receive = layers[1].receive

    async def counting(channel: str) -> Any:
        message = await receive(channel)
        received.append(message["type"])
        return message

    layers[1].receive = counting
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    one, two = (relay.in_namespace("tests") for relay in relays)
    await hears(one, two)
    heard = Heard()
    for number in range(20):
        await two.subscribe(f"room {number}", heard)
    received.clear()
    await one.publish(*(PeerUpdate(f"room {number}", b"x") for number in range(20)))
    for _ in range(20):
        await heard.next()
    assert received == ["collab.bundle"]
    await end_tasks(tasks)
    for layer in layers:
        await layer.flush()
        await layer.close_pools()


async def test_message_of_another_room_is_not_heard(relays: tuple[Relay, Relay]) -> None:
    one, two = relays
    heard = Heard()
    await two.subscribe(ROOM, heard)
    await one.publish(PresenceQuestion("another room"))
    await one.publish(PresenceQuestion(ROOM))
    assert await heard.next() == PresenceQuestion(ROOM)


async def test_room_that_was_unsubscribed_is_not_heard(relays: tuple[Relay, Relay]) -> None:
    one, two = relays
    left, stayed = Heard(), Heard()
    await two.subscribe("left", left)
    await two.subscribe(ROOM, stayed)
    await two.unsubscribe("left")
    await one.publish(PresenceQuestion("left"))
    await one.publish(PresenceQuestion(ROOM))
    await stayed.next()
    assert left.is_empty()


# -- only the layer


async def test_rooms_of_the_same_name_in_two_namespaces_do_not_meet() -> None:
    layer = InMemoryChannelLayer()
    one, two = LayerRelay(layer, lambda object_id: None), LayerRelay(layer, lambda object_id: None)
    tasks = [asyncio.create_task(relay.run()) for relay in (one, two)]
    stored, unstored = Heard(), Heard()
    await two.in_namespace("stored").subscribe(ROOM, stored)
    await two.in_namespace("unstored").subscribe(ROOM, unstored)
    await hears(one.in_namespace("stored"), two.in_namespace("stored"))
    await one.in_namespace("stored").publish(PresenceQuestion(ROOM))
    assert await stored.next() == PresenceQuestion(ROOM)
    assert unstored.is_empty()
    await end_tasks(tasks)


async def test_message_that_makes_no_sense_is_logged_and_the_next_one_heard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    layer = InMemoryChannelLayer()
    relay, other = LayerRelay(layer, lambda object_id: None), LayerRelay(layer, lambda object_id: None)
    tasks = [asyncio.create_task(each.run()) for each in (relay, other)]
    await hears(other.in_namespace("tests"), relay.in_namespace("tests"))
    await layer.group_send("collab.access", {"type": "collab.access", "object_ids": ["no id"]})
    heard = Heard()
    await relay.in_namespace("tests").subscribe(ROOM, heard)
    await other.in_namespace("tests").publish(PresenceQuestion(ROOM))
    await heard.next()
    assert "could not be handled" in caplog.text
    await end_tasks(tasks)


async def test_layer_that_fails_is_done_without(caplog: pytest.LogCaptureFixture) -> None:
    class BrokenLayer(InMemoryChannelLayer):
        async def group_send(self, group: str, message: dict) -> None:
            raise ConnectionError("Redis is away")

    relay = LayerRelay(BrokenLayer(), lambda object_id: None).in_namespace("tests")
    await relay.publish(PresenceQuestion(ROOM))
    assert "Redis is away" in caplog.text


class StoppedLayer(InMemoryChannelLayer):
    """Redis under SIGSTOP: what it is told is answered never."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    async def group_send(self, group: str, message: dict) -> None:
        self.calls += 1
        await asyncio.Event().wait()


async def test_layer_that_never_answers_is_waited_for_once_and_told_of_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "PATIENCE_S", 0.01)
    layer = StoppedLayer()
    relay = LayerRelay(layer, lambda object_id: None)
    for _ in range(20):
        await relay.in_namespace("tests").publish(PresenceQuestion(ROOM))
    assert layer.calls == 1
    assert not relay.is_hearing
    [line] = caplog.messages
    assert line.startswith("The channel layer (Redis) does not pass messages on: no answer in time")


async def test_access_change_does_not_wait_for_a_layer_that_never_answers(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "PATIENCE_S", 0.01)
    monkeypatch.setattr(relay_module, "get_channel_layer", StoppedLayer)
    await sync_to_async(publish_access_change)(Room, [uuid4()])
    assert "News of an access change was lost" in caplog.text


async def test_stateless_from_synchronous_code_says_that_the_layer_never_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_module, "PATIENCE_S", 0.01)
    monkeypatch.setattr(relay_module, "get_channel_layer", StoppedLayer)
    with pytest.raises(UnavailableError, match="no answer in time"):
        await sync_to_async(send_stateless)(uuid4(), "hello")


async def test_stateless_from_synchronous_code_reaches_every_process_that_has_the_room(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = [RedisLayer([redis.url]) for _ in range(3)]
    relays = [LayerRelay(layer, lambda object_id: None) for layer in layers[:2]]
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    monkeypatch.setattr(relay_module, "get_channel_layer", lambda: layers[2])
    room_id, heard = uuid4(), [Heard(), Heard()]
    for relay, receiver in zip(relays, heard, strict=True):
        await relay.in_namespace(STORED).subscribe(str(room_id), receiver)
    async with asyncio.timeout(10):
        while any(receiver.is_empty() for receiver in heard):  # the relays may only just be starting
            await sync_to_async(send_stateless)(room_id, "né")
            await asyncio.sleep(0.01)
    for receiver in heard:
        assert await receiver.next() == StatelessMessage(str(room_id), "né")
    await end_tasks(tasks)
    for layer in layers:
        await layer.close_pools()


async def test_layer_that_forgot_its_groups_is_subscribed_to_again(
    redis: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "PROBE_S", 0.1)
    layers = [RedisLayer([redis.url]) for _ in range(2)]
    relays = [LayerRelay(layer, lambda object_id: None) for layer in layers]
    tasks = [asyncio.create_task(task) for relay in relays for task in (relay.run(), relay.watch())]
    one, two = (relay.in_namespace("tests") for relay in relays)
    heard = Heard()
    await two.subscribe(ROOM, heard)
    await hears(one, two)

    async with Redis.from_url(redis.url) as client:
        await client.delete(*[key async for key in client.scan_iter("asgi:group:*")])
    async with asyncio.timeout(10):
        while heard.is_empty():
            await one.publish(PresenceQuestion(ROOM))
            await asyncio.sleep(0.05)
        while "passes messages on again" not in caplog.text:  # noqa: ASYNC110  # the probe is a timer's
            await asyncio.sleep(0.05)
    assert any("a message of this process to itself did not arrive" in line for line in caplog.messages)
    await end_tasks(tasks)
    for layer in layers:
        await layer.close_pools()


@pytest.mark.django_db(transaction=True)
async def test_access_change_that_a_service_announces_reaches_the_leases(
    engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: asyncio.Queue[UUID] = asyncio.Queue()
    monkeypatch.setattr(engine.leases, "changed", changed.put_nowait)
    room_id = uuid4()
    async with asyncio.timeout(5):
        while changed.empty():  # the engine's relay may only just be starting
            await sync_to_async(announce_access_change)(Room, room_id)
            await asyncio.sleep(0.01)
        assert await changed.get() == room_id


@pytest.mark.parametrize("name", ["room", "a-b_c.d", "x" * 99])
def test_group_of_a_name_that_can_be_one_is_the_name(name: str) -> None:
    assert group_name(name) == name


@pytest.mark.parametrize("name", ["with space", "ünïcödé", "x" * 100, "", "hashed-x", "collab.access"])
def test_group_of_any_other_name_is_a_hash_of_it(name: str) -> None:
    assert group_name(name).startswith("hashed-")
    assert group_name(name) != group_name(name + "!")
