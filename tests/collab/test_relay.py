"""The relay: one suite for the version in memory and the one over a channel layer, in process and Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
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
from collab.engine.processes import GONE_LOOKS
from collab.live import LiveEngine, end_tasks
from collab.models import Room
from collab.relay import (
    ACCESS_GROUP,
    PROCESS_GROUP,
    STORED,
    LayerRelay,
    group_name,
    publish_access_change,
    send_stateless,
)
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


def ignore(news: object) -> None:
    """Somebody else's business."""


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
    relays = [LayerRelay(layer, ignore, ignore) for layer in layers]
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
    received = await heard.next()
    if isinstance(received, PresenceChanged):
        received = replace(received, process="")
    assert received == message


async def test_presence_names_the_process_that_it_comes_from(relays: tuple[Relay, Relay]) -> None:
    processes = []
    for sender, receiver in (relays, relays[::-1]):
        heard = Heard()
        await receiver.subscribe(ROOM, heard)
        for _ in range(2):
            await sender.publish(PresenceChanged(ROOM, "connection", None, b"\x00"))
        messages = [await heard.next() for _ in range(2)]
        [process] = {message.process for message in messages if isinstance(message, PresenceChanged)}
        processes.append(process)
    assert processes[0] != processes[1]
    assert all(processes)


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
    relays = [LayerRelay(layer, ignore, ignore) for layer in layers]
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
    one, two = LayerRelay(layer, ignore, ignore), LayerRelay(layer, ignore, ignore)
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
    relay, other = LayerRelay(layer, ignore, ignore), LayerRelay(layer, ignore, ignore)
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

    relay = LayerRelay(BrokenLayer(), ignore, ignore).in_namespace("tests")
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
    relay = LayerRelay(layer, ignore, ignore)
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
    relays = [LayerRelay(layer, ignore, ignore) for layer in layers[:2]]
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
    relays = [LayerRelay(layer, ignore, ignore) for layer in layers]
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


class Line:
    """The layer of one process, shared with others, which the test may cut: then every call fails."""

    def __init__(self, layer: InMemoryChannelLayer) -> None:
        self.is_cut = False
        self.calls = 0
        self._layer = layer
        self.new_channel, self.receive = layer.new_channel, layer.receive

    def _call(self) -> None:
        self.calls += 1
        if self.is_cut:
            raise ConnectionError("The line is cut")

    async def group_add(self, group: str, channel: str) -> None:
        self._call()
        await self._layer.group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        self._call()
        await self._layer.group_discard(group, channel)

    async def group_send(self, group: str, message: dict) -> None:
        self._call()
        await self._layer.group_send(group, message)

    async def added_to(self, group: str) -> dict[str, float]:
        self._call()
        return dict(self._layer.groups[group])


class Process:
    """A relay with its tasks, and which other processes it took for dead."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.gone: list[str] = []
        self.relay = LayerRelay(layer, ignore, self.gone.append)
        running = (self.relay.run(), self.relay.watch(), self.relay.beat())
        self._tasks = [asyncio.create_task(task) for task in running]

    async def end(self) -> None:
        """Stop at once, as when it is killed."""
        await end_tasks(self._tasks)


async def until(is_true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not is_true():  # noqa: ASYNC110  # timers make it so
            await asyncio.sleep(0.01)


async def all_hear(*processes: Process) -> None:
    await until(lambda: all(process.relay.is_hearing for process in processes))


async def all_look(*processes: Process) -> None:
    """Wait for more looks than it takes to know who is gone; there are four calls to one."""
    enough = {process: process.layer.calls + 4 * 2 * GONE_LOOKS for process in processes}
    await until(lambda: all(process.layer.calls >= count for process, count in enough.items()))


async def name_of(process: Process, listener: Process) -> str:
    """What the other calls it."""
    one, two = process.relay.in_namespace("tests"), listener.relay.in_namespace("tests")
    await hears(one, two)
    heard = Heard()
    await two.subscribe(ROOM, heard)
    await one.publish(PresenceChanged(ROOM, "connection", None, b"\x00"))
    message = await heard.next()
    assert isinstance(message, PresenceChanged)
    return message.process


@pytest.fixture
async def three_processes(fast: None) -> AsyncIterator[list[Process]]:
    """Processes that hear each other."""
    layer = InMemoryChannelLayer()
    processes = [Process(Line(layer)) for _ in range(3)]
    await all_hear(*processes)
    yield processes
    for process in processes:
        await process.end()


async def test_process_that_is_silent_is_gone_for_each_of_the_others_once(
    three_processes: list[Process],
) -> None:
    dead, *left = three_processes
    name = await name_of(dead, left[0])
    await dead.end()
    await until(lambda: all(process.gone for process in left))
    await all_look(*left)
    assert [process.gone for process in left] == [[name], [name]]


async def test_nobody_is_gone_while_the_layer_passes_nothing_on_nor_when_it_does_again(
    three_processes: list[Process], caplog: pytest.LogCaptureFixture
) -> None:
    for process in three_processes:
        process.layer.is_cut = True
    await all_look(*three_processes)
    assert not any(process.relay.is_hearing for process in three_processes)
    for process in three_processes:
        process.layer.is_cut = False
    await all_hear(*three_processes)
    await all_look(*three_processes)
    assert [process.gone for process in three_processes] == [[], [], []]


async def test_process_that_was_taken_for_dead_is_heard_again_and_hears_the_others(
    three_processes: list[Process], caplog: pytest.LogCaptureFixture
) -> None:
    cut, *others = three_processes
    name = await name_of(cut, others[0])
    for times in (1, 2):
        cut.layer.is_cut = True
        await until(lambda: all(len(process.gone) == times for process in others))  # noqa: B023
        cut.layer.is_cut = False
        assert await name_of(cut, others[0]) == name
        await all_hear(*three_processes)
        await all_look(*three_processes)
        await hears(others[0].relay.in_namespace("tests"), cut.relay.in_namespace("tests"))
    assert [process.gone for process in three_processes] == [[], [name] * 2, [name] * 2]


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "BEAT_S", 0.02)
    monkeypatch.setattr(relay_module, "PROBE_S", 0.02)


@pytest.mark.usefixtures("fast")
async def test_process_that_died_is_gone_and_no_longer_listed(redis: RedisServer) -> None:
    layers = [RedisLayer([redis.url]) for _ in range(2)]
    dead, left = processes = [Process(layer) for layer in layers]
    await all_hear(*processes)
    name = await name_of(dead, left)
    async with asyncio.timeout(20):
        while name not in await layers[1].added_to(PROCESS_GROUP):  # noqa: ASYNC110  # a timer's work
            await asyncio.sleep(0.01)
        await dead.end()
        while name in await layers[1].added_to(PROCESS_GROUP):  # noqa: ASYNC110  # a timer's work
            await asyncio.sleep(0.01)
    assert name in left.gone
    await left.end()
    for layer in layers:
        await layer.close_pools()


@pytest.mark.usefixtures("fast")
async def test_process_that_leaves_is_in_no_group(redis: RedisServer) -> None:
    layers = [RedisLayer([redis.url]) for _ in range(2)]
    leaving, left = processes = [Process(layer) for layer in layers]
    await all_hear(*processes)
    name = await name_of(leaving, left)
    groups = (PROCESS_GROUP, ACCESS_GROUP)
    async with asyncio.timeout(20):
        for group in groups:
            while name not in await layers[1].added_to(group):  # noqa: ASYNC110  # a timer's work
                await asyncio.sleep(0.01)
    await leaving.end()
    await leaving.relay.leave()
    for group in groups:
        assert name not in await layers[1].added_to(group)
    assert name not in left.gone
    await left.end()
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


async def test_room_that_is_left_while_all_are_subscribed_again_stays_left() -> None:
    rooms = relay_module._group("tests", "staying"), relay_module._group("tests", "left")

    class Layer(InMemoryChannelLayer):
        async def group_add(self, group: str, channel: str) -> None:
            await super().group_add(group, channel)
            if group == rooms[0]:
                await relay.discard(rooms[1])

    layer = Layer()
    relay = LayerRelay(layer, ignore, ignore)
    for room in rooms:
        await relay.add(room, ignore)
    running = asyncio.create_task(relay.run())
    await until(lambda: rooms[0] in layer.groups)
    await asyncio.sleep(0.01)
    assert rooms[1] not in layer.groups
    await end_tasks([running])
