"""All rooms of a process: opened once however many come, closed when idle, opened again from the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from collab.engine.awareness import AwarenessEntry, encode_awareness
from collab.engine.errors import (
    CollabError,
    ForbiddenError,
    LimitError,
    ResetError,
    UnavailableError,
)
from collab.engine.gate import parse_update
from collab.engine.limits import Limits
from collab.engine.logged import LoggedReplication
from collab.engine.memory import MemoryHub, MemoryLog
from collab.engine.ports import (
    BroadcastFrame,
    CommittedRows,
    LogPart,
    NewRow,
    PresenceChanged,
    PresenceQuestion,
    RelayMessage,
)
from collab.engine.protocol import KEEP_ALIVE_MESSAGE, create_sync_step_1_message, create_update_message
from collab.engine.reception import receive
from collab.engine.registry import SILENT_S, STUCK_S, Registry
from collab.engine.room import LiveRoom
from tests.engine.builders import document_of, typed
from tests.engine.scripted import Client, FakeClock, turns, until

LIMITS = Limits(commit_interval_ms=0, max_connections_per_room=60)
IDLE_S = 0.001


class GatedLog(MemoryLog):
    """A log whose answers the test holds back or refuses, and that counts how often it is read."""

    def __init__(self) -> None:
        super().__init__(["room"])
        self.reads = 0
        self.checkpoints = 0
        self.error: Exception | None = None
        self.reading = asyncio.Event()
        self.reading.set()
        self.checkpoint_error: Exception | None = None
        self.checkpointing = asyncio.Event()
        self.checkpointing.set()

    async def read(self, room: str, after: int) -> LogPart | None:
        self.reads += 1
        await self.reading.wait()
        if self.error is not None:
            raise self.error
        return await super().read(room, after)

    async def checkpoint(self, room: str, seq: int, update: bytes, state_vector: bytes) -> None:
        self.checkpoints += 1
        await self.checkpointing.wait()
        if self.checkpoint_error is not None:
            raise self.checkpoint_error
        await super().checkpoint(room, seq, update, state_vector)


class Scene:
    """One process over a log."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.log = GatedLog()
        self.relay = MemoryHub().relay()
        self.published: list[RelayMessage] = []
        self.replication = LoggedReplication(self.log, self.published.append, LIMITS)
        self.registry = Registry(
            replication=self.replication,
            relay=self.relay,
            publish=self.published.append,
            limits=LIMITS,
            clock=clock,
            idle_s=IDLE_S,
        )
        self.clients: list[Client] = []
        self._writer = asyncio.create_task(self.replication.write())

    def client(self, **options: bool) -> Client:
        self.clients.append(Client(self.clock, LIMITS, **options))
        return self.clients[-1]

    async def join(self, **options: bool) -> tuple[Client, LiveRoom]:
        client = self.client(**options)
        return client, await self.registry.join("room", client.connection)

    async def write(self, client: Client, room: LiveRoom, update: bytes) -> None:
        """Write, and wait for the commit."""
        await receive(room, client.connection, create_update_message(update))
        await self.replication.drain()

    async def until_closed(self, room: LiveRoom) -> None:
        await until(lambda: room.is_closed)

    async def end(self) -> None:
        self.log.error = None
        self.log.reading.set()
        self.log.checkpointing.set()
        await self.registry.close(ResetError("over"))
        for client in self.clients:
            await client.end()
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)


@pytest.fixture
async def scene(clock: FakeClock) -> AsyncIterator[Scene]:
    scene = Scene(clock)
    yield scene
    await scene.end()


async def test_fifty_who_wait_for_a_room_load_it_once(scene: Scene) -> None:
    scene.log.reading.clear()
    joins = [asyncio.create_task(scene.join()) for _ in range(50)]
    await turns()
    scene.log.reading.set()
    rooms = {room for _, room in await asyncio.gather(*joins)}
    assert len(rooms) == 1
    assert scene.log.reads == 1
    assert len(rooms.pop().connections) == 50


async def test_some_of_fifty_who_give_up_leave_the_loading_to_the_others(scene: Scene) -> None:
    scene.log.reading.clear()
    joins = [asyncio.create_task(scene.join()) for _ in range(50)]
    await turns()
    for join in joins[::2]:  # the first, who asked for the loading, too
        join.cancel()
    await turns()
    scene.log.reading.set()
    found = await asyncio.gather(*joins, return_exceptions=True)
    rooms = {result[1] for result in found if isinstance(result, tuple)}
    assert len(rooms) == 1
    assert scene.log.reads == 1
    assert len(rooms.pop().connections) == 25


async def test_room_that_all_gave_up_waiting_for_is_closed_again(scene: Scene) -> None:
    scene.log.reading.clear()
    join = asyncio.create_task(scene.join())
    await turns()
    join.cancel()
    await asyncio.gather(join, return_exceptions=True)
    scene.log.reading.set()
    await until(lambda: scene.registry.find("room"))
    await until(lambda: not scene.relay.receivers)
    assert scene.registry.find("room") is None


async def test_room_that_can_not_be_loaded_refuses_everyone_and_does_not_start_empty(scene: Scene) -> None:
    scene.log.reading.clear()
    joins = [asyncio.create_task(scene.join()) for _ in range(10)]
    await turns()
    scene.log.error = UnavailableError("The store does not answer.")
    scene.log.reading.set()
    results = await asyncio.gather(*joins, return_exceptions=True)
    assert all(isinstance(result, UnavailableError) for result in results)
    assert scene.registry.find("room") is None
    assert scene.relay.receivers == {}


async def test_room_that_could_not_be_loaded_is_tried_again_by_the_next(scene: Scene) -> None:
    await scene.log.append([NewRow("room", typed(7, "abc"))])
    scene.log.error = UnavailableError("The store does not answer.")
    with pytest.raises(UnavailableError):
        await scene.join()
    scene.log.error = None
    _, room = await scene.join()
    assert room.document.encode() == typed(7, "abc")


async def test_room_that_does_not_exist_is_refused(scene: Scene) -> None:
    with pytest.raises(ForbiddenError):
        await scene.registry.join("another room", scene.client().connection)
    assert list(scene.registry) == []


async def test_room_whose_last_connection_leaves_is_closed_and_leaves_a_checkpoint(scene: Scene) -> None:
    client, room = await scene.join()
    await scene.write(client, room, typed(7, "abc"))
    scene.registry.leave(room, client.connection)
    await scene.until_closed(room)
    await until(lambda: scene.log.checkpoints)
    await turns()
    assert scene.registry.find("room") is None
    assert scene.relay.receivers == {}
    part = await scene.log.read("room", 0)
    assert part == LogPart(1, [typed(7, "abc")], 0)


async def test_room_that_was_only_read_leaves_no_checkpoint(scene: Scene) -> None:
    client, room = await scene.join()
    scene.registry.leave(room, client.connection)
    await scene.until_closed(room)
    await turns()
    assert scene.log.checkpoints == 0


async def test_room_that_was_closed_is_opened_again_from_the_log(scene: Scene) -> None:
    client, room = await scene.join()
    await scene.write(client, room, typed(7, "abc"))
    scene.registry.leave(room, client.connection)
    await scene.until_closed(room)
    _, again = await scene.join()
    assert again is not room
    assert again.document.encode() == typed(7, "abc")


async def test_room_that_is_being_closed_is_opened_only_after_that(scene: Scene) -> None:
    client, room = await scene.join()
    await scene.write(client, room, typed(7, "abc"))
    scene.log.checkpointing.clear()
    scene.registry.leave(room, client.connection)
    await scene.until_closed(room)
    await until(lambda: scene.log.checkpoints)
    reads = scene.log.reads
    join = asyncio.create_task(scene.join())
    await turns()
    assert scene.log.reads == reads
    scene.log.checkpointing.set()
    _, again = await join
    assert again.document.encode() == typed(7, "abc")
    assert list(scene.relay.receivers) == ["room"]


@pytest.mark.parametrize("error", [UnavailableError("no answer"), RuntimeError("unexpected")])
async def test_room_that_gets_no_checkpoint_can_be_opened_again(scene: Scene, error: Exception) -> None:
    client, room = await scene.join()
    await scene.write(client, room, typed(7, "abc"))
    scene.log.checkpointing.clear()
    scene.registry.leave(room, client.connection)
    await until(lambda: scene.log.checkpoints)
    join = asyncio.create_task(scene.join())
    await turns()
    scene.log.checkpoint_error = error
    scene.log.checkpointing.set()
    _, again = await join
    assert again.document.encode() == typed(7, "abc")


async def test_room_that_someone_comes_back_to_in_time_stays_open(scene: Scene) -> None:
    client, room = await scene.join()
    scene.registry.leave(room, client.connection)
    _, again = await scene.join()
    await asyncio.sleep(3 * IDLE_S)
    assert again is room
    assert not room.is_closed


async def test_room_is_not_closed_under_someone_who_prepares_it(scene: Scene) -> None:
    prepared = asyncio.Event()

    async def prepare(room: LiveRoom) -> None:
        await prepared.wait()

    join = asyncio.create_task(scene.registry.join("room", scene.client().connection, prepare))
    await until(lambda: scene.registry.find("room"))
    await asyncio.sleep(3 * IDLE_S)
    prepared.set()
    room = await join
    assert not room.is_closed
    assert len(room.connections) == 1


async def test_room_whose_preparation_fails_refuses_and_is_closed_when_idle(scene: Scene) -> None:
    async def prepare(room: LiveRoom) -> None:
        raise CollabError("The application has no such document.")

    with pytest.raises(CollabError):
        await scene.registry.join("room", scene.client().connection, prepare)
    await until(lambda: not scene.registry.find("room"))


async def test_room_with_updates_that_are_not_committed_is_not_closed(scene: Scene) -> None:
    client, room = await scene.join()
    scene.replication.record(room, parse_update(typed(7, "abc")), None, None)
    released: list[bool] = []
    scene.replication.when_saved(room, lambda: released.append(room.is_closed))
    scene.registry.leave(room, client.connection)
    await scene.until_closed(room)
    assert released == [False]


async def test_join_of_a_full_room_is_refused_and_leaves_it_as_it_was(scene: Scene) -> None:
    joined = [await scene.join() for _ in range(LIMITS.max_connections_per_room)]
    with pytest.raises(LimitError):
        await scene.join()
    assert len(joined[0][1].connections) == LIMITS.max_connections_per_room


async def test_opening_asks_other_processes_who_is_there(scene: Scene) -> None:
    await scene.join()
    assert scene.published == [PresenceQuestion("room")]


async def test_message_of_another_process_that_is_malformed_is_passed_over(scene: Scene) -> None:
    client, room = await scene.join()
    receive = scene.relay.receivers["room"]
    receive(PresenceChanged("room", "elsewhere", None, b"\xff"))
    receive(CommittedRows("room", 1, ((1, b"\xff"),)))
    receive(BroadcastFrame("room", b"\x66"))
    await until(lambda: b"\x66" in client.frames)
    assert room.document.is_empty


async def test_presence_of_a_process_that_died_goes_from_every_room(scene: Scene) -> None:
    rooms = ["room", "another"]
    scene.log.add_room("another")
    for name in rooms:
        await scene.registry.join(name, scene.client().connection)
        for process in ("dead", "alive"):
            state = encode_awareness([AwarenessEntry(len(process), 1, b"{}")])
            scene.relay.receivers[name](PresenceChanged(name, f"of {process}", "ben", state, process))
    await scene.registry.forget_process("dead")
    for name in rooms:
        room = scene.registry.find(name)
        assert room is not None
        assert room.presence.awareness.entries() == [AwarenessEntry(len("alive"), 1, b"{}")]


async def test_sweep_keeps_quiet_connections_alive(scene: Scene, clock: FakeClock) -> None:
    client, _ = await scene.join()
    await turns()
    await scene.registry.sweep()
    clock.advance(SILENT_S + 1)
    await scene.registry.sweep()
    await scene.registry.sweep()
    await turns()
    assert client.frames[1:] in ([KEEP_ALIVE_MESSAGE], [KEEP_ALIVE_MESSAGE] * 2)


async def test_sweep_sends_stuck_connections_away(scene: Scene, clock: FakeClock) -> None:
    client, room = await scene.join(is_reading=False)
    await turns()
    clock.advance(STUCK_S + 1)
    await scene.registry.sweep()
    assert client.connection.is_closed
    assert room.connections == {}
    assert client.line.closed == (4205, "You read too slowly.")
    await until(lambda: client.has_ended)


async def test_close_sends_everyone_away_and_leaves_checkpoints(scene: Scene) -> None:
    client, room = await scene.join()
    await scene.write(client, room, typed(7, "abc"))
    await scene.registry.close(ResetError("The server is going down."))
    await turns()
    assert client.line.closed == (4205, "The server is going down.")
    assert scene.log.checkpoints == 1
    assert list(scene.registry) == []
    assert scene.relay.receivers == {}


async def test_room_that_is_being_loaded_when_the_process_ends_is_left_and_lets_nobody_in(
    scene: Scene,
) -> None:
    await scene.log.append([NewRow("room", typed(7, "abc"))])
    scene.log.reading.clear()
    join = asyncio.create_task(scene.join())
    await turns()
    close = asyncio.create_task(scene.registry.close(ResetError("The server is going down.")))
    await turns()
    scene.log.reading.set()
    await close
    with pytest.raises(ResetError):
        await join
    assert list(scene.registry) == []
    assert scene.relay.receivers == {}


async def test_room_that_is_being_prepared_when_the_process_ends_lets_nobody_in(scene: Scene) -> None:
    prepared = asyncio.Event()

    async def prepare(room: LiveRoom) -> None:
        await prepared.wait()

    join = asyncio.create_task(scene.registry.join("room", scene.client().connection, prepare))
    await until(lambda: scene.registry.find("room"))
    scene.registry.send_away(ResetError("The server is going down."))
    prepared.set()
    with pytest.raises(ResetError):
        await join


async def test_registry_that_sends_everyone_away_opens_no_room(scene: Scene) -> None:
    scene.registry.send_away(ResetError("The server is going down."))
    with pytest.raises(ResetError):
        await scene.join()
    assert scene.log.reads == 0


async def test_newcomer_gets_what_was_written_before_and_since(scene: Scene) -> None:
    await scene.log.append([NewRow("room", typed(7, "abc"))])
    client, room = await scene.join()
    await scene.write(client, room, typed(7, "def", 3))
    newcomer, _ = await scene.join()
    await receive(room, newcomer.connection, create_sync_step_1_message(b"\x00"))
    assert room.document.encode() == document_of(typed(7, "abc"), typed(7, "def", 3)).encode()
    assert parse_update(room.document.encode()).first_clocks == {7: 0}
