"""The law: whatever is lost, doubled, late or killed, all end equal, and nothing acknowledged is missing.

Hypothesis decides what happens to several processes and their clients: who writes, which message
of the relay is delivered, doubled, late or lost, which process dies without a word.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pycrdt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collab import collector
from collab.engine import compaction, logged, positions
from collab.engine.connection import Connection
from collab.engine.document import Document
from collab.engine.errors import CompactionError
from collab.engine.gate import parse_state_vector, parse_update
from collab.engine.limits import Limits
from collab.engine.logged import LoggedReplication
from collab.engine.memory import MemoryLog
from collab.engine.outlet import Outlet
from collab.engine.peers import PeerReplication
from collab.engine.ports import Compactor, Receiver, RelayMessage
from collab.engine.protocol import (
    SyncStep1,
    SyncStep2,
    Update,
    create_sync_step_1_message,
    create_sync_step_2_message,
    create_update_message,
    decode_message,
)
from collab.engine.reception import receive
from collab.engine.registry import Registry
from tests.engine.builders import client as client_of_update
from tests.engine.builders import document_of, text, update
from tests.engine.scripted import FakeClock, turns

ROOM = "the room"
PROCESSES = 3
LIMITS = Limits(commit_interval_ms=1)
WORDS = ["x", "hello", "e\N{COMBINING ACUTE ACCENT}", "\N{GRINNING FACE}"]
#: Without those whose halves are cut apart at random: a document with such a cut is not compacted.
WHOLE_WORDS = WORDS[:3]


@dataclass
class Network:
    """The relay between processes: everything waits until the test decides about it."""

    waiting: list[tuple[RelayMessage, int]] = field(default_factory=list)
    relays: dict[int, LateRelay] = field(default_factory=dict)

    def publish(self, sender: int, message: RelayMessage) -> None:
        self.waiting += [(message, number) for number in self.relays if number != sender]

    def deliver(self, index: int, *, is_kept: bool = False) -> None:
        if self.waiting:
            position = index % len(self.waiting)
            message, number = self.waiting[position]
            if not is_kept:
                del self.waiting[position]
            receiver = self.relays[number].receivers.get(message.room) if number in self.relays else None
            if receiver is not None:
                receiver(message)

    def lose(self, index: int) -> None:
        """Everything that is on its way to one process."""
        self.waiting = [(message, number) for message, number in self.waiting if number != index % PROCESSES]


@dataclass
class LateRelay:
    """One process's end of the network."""

    receivers: dict[str, Receiver] = field(default_factory=dict)
    reaches_others: bool = True

    async def subscribe(self, room: str, receiver: Receiver) -> None:
        self.receivers[room] = receiver

    async def unsubscribe(self, room: str) -> None:
        self.receivers.pop(room, None)

    async def publish(self, *messages: RelayMessage) -> None:
        """The registry publishes through the network itself."""


class Process:
    """A registry with its replication; `kill()` leaves nothing behind but what was committed."""

    def __init__(
        self, number: int, network: Network, log: MemoryLog | None, compactor: Compactor | None
    ) -> None:
        relay = network.relays[number] = LateRelay()
        self._network, self.number = network, number

        def publish(message: RelayMessage) -> None:
            network.publish(number, message)

        self.replication: LoggedReplication | PeerReplication
        self._writer: asyncio.Task[None] | None = None
        if log is None:
            self.replication = PeerReplication(publish, reaches_others=True)
        else:
            self.replication = LoggedReplication(log, publish, LIMITS, compactor=compactor)
            self._writer = asyncio.create_task(self.replication.write())
        self.registry = Registry(
            replication=self.replication,
            relay=relay,
            publish=publish,
            limits=LIMITS,
            clock=FakeClock(),
            idle_s=3600,
        )

    async def settle(self) -> None:
        """Wait until everything it has taken in is committed."""
        if isinstance(self.replication, LoggedReplication):
            await self.replication.drain()

    async def kill(self) -> None:
        del self._network.relays[self.number]
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)


class Editor:
    """A client that types behind what it knows of anyone, deletes, and reconnects where it is told.

    Its document is bytes too: that joined bytes mean the same to Yjs is shown with Yjs itself.
    """

    def __init__(self, number: int) -> None:
        self.number = number + 1
        self.outlet = Outlet()
        self.head = b""
        self._wants_echo = number % 2 == 0
        self.document = Document()
        self.acknowledged: list[bytes] = []
        self._own: set[bytes] = set()
        self._connection: Connection | None = None
        self._process: Process | None = None
        self._drain: asyncio.Task[None] | None = None

    async def connect(self, process: Process) -> None:
        self._process = process
        self._connection = Connection(self, LIMITS, wants_echo=self._wants_echo, clock=FakeClock())
        self._drain = asyncio.create_task(self._connection.drain())
        await process.registry.join(ROOM, self._connection)
        await self._say(create_sync_step_1_message(self.document.encoded_state_vector()))

    async def disconnect(self) -> None:
        if self._drain is not None:
            self._drain.cancel()
            await asyncio.gather(self._drain, return_exceptions=True)

    def is_with(self, process: Process) -> bool:
        return self._process is process

    async def edit(self, choice: random.Random) -> None:
        data = self._new_update(choice)
        self._own.add(data)
        self.document.take_in(parse_update(data))
        await self._say(create_update_message(data))

    def _new_update(self, choice: random.Random) -> bytes:
        known = self.document.state_vector()
        if known and choice.random() < 0.3:
            client = choice.choice(sorted(known))
            start = choice.randrange(known[client])
            length = choice.randint(1, known[client] - start)
            return update(deletes={client: [(start, length)]})
        clock = known.get(self.number, 0)
        after = None
        if known:
            neighbour = choice.choice(sorted(known))
            after = neighbour, choice.randrange(known[neighbour])
        content = choice.choice(WORDS)
        return update(client_of_update(self.number, clock, text(content, after)))

    async def send(self, frame: bytes) -> None:
        """What the server sends; the transport's side of the connection."""
        message = decode_message(frame)
        if isinstance(message, SyncStep1):
            difference = self.document.difference(parse_state_vector(message.state_vector))
            self._own.add(difference)
            await self._say(create_sync_step_2_message(difference))
        elif isinstance(message, SyncStep2 | Update):
            if self._wants_echo and isinstance(message, Update) and message.update in self._own:
                self.acknowledged.append(message.update)
            self.document.take_in(parse_update(message.update))

    async def close(self, code: int, reason: str) -> None:
        raise AssertionError(f"closed with {code}: {reason}")

    def abort(self, code: int, reason: str) -> None:
        raise AssertionError(f"aborted with {code}: {reason}")

    def progress(self) -> int:
        return 0

    async def _say(self, frame: bytes) -> None:
        assert self._process is not None
        assert self._connection is not None
        room = self._process.registry.find(ROOM)
        assert room is not None
        await receive(room, self._connection, frame)


class World:
    """All processes, all editors, and what may happen to them."""

    def __init__(self, log: MemoryLog | None, seed: int, compactor: Compactor | None = None) -> None:
        self.log = log
        self.compactor = compactor
        self.choice = random.Random(seed)
        self.network = Network()
        self.processes: list[Process] = []
        self.editors = [Editor(number) for number in range(4)]
        self.acknowledged: list[bytes] = []
        self._newcomers = 0

    async def start(self) -> None:
        self.processes = [self._new_process(number) for number in range(PROCESSES)]
        for number, editor in enumerate(self.editors):
            await editor.connect(self.processes[number % PROCESSES])

    def _new_process(self, number: int) -> Process:
        return Process(number, self.network, self.log, self.compactor)

    async def write(self, number: int) -> None:
        await self.editors[number % len(self.editors)].edit(self.choice)

    async def commit(self, number: int) -> None:
        await self.processes[number % PROCESSES].settle()

    async def crash(self, number: int) -> None:
        """A process dies; its clients come back elsewhere."""
        for editor in await self._kill(number):
            await editor.connect(self.processes[(number + 1) % PROCESSES])

    async def power_cut(self, number: int) -> None:
        """A process dies, and its clients with it; what was acknowledged to them is still promised."""
        for editor in await self._kill(number):
            self.acknowledged += editor.acknowledged
            self._newcomers += 1
            newcomer = Editor(len(self.editors) + self._newcomers)
            self.editors[self.editors.index(editor)] = newcomer
            await newcomer.connect(self.processes[(number + 1) % PROCESSES])

    async def _kill(self, number: int) -> list[Editor]:
        position = number % PROCESSES
        process = self.processes[position]
        await process.kill()
        self.processes[position] = self._new_process(process.number)
        left = [editor for editor in self.editors if editor.is_with(process)]
        for editor in left:
            await editor.disconnect()
        return left

    async def heal(self) -> None:
        """No more faults: all messages of the timers arrive, until nobody has anything new to say."""
        for _ in range(20):
            for process in self.processes:
                await process.settle()
                await process.registry.heal()
            while self.network.waiting:
                self.network.deliver(0)
            await asyncio.sleep(0.002)
            await turns()

    async def stop(self) -> None:
        for editor in self.editors:
            await editor.disconnect()
        for process in self.processes:
            await process.kill()

    def documents(self) -> list[bytes]:
        rooms = [process.registry.find(ROOM) for process in self.processes]
        return [room.document.encode() for room in rooms if room is not None]


FAULTS = ("write", "write", "write", "commit", "commit", "deliver", "deliver", "double", "lose", "turns")
DEATHS = ("crash", "power cut")
steps = st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 50)), max_size=60)
steps_with_deaths = st.lists(st.tuples(st.sampled_from(FAULTS + DEATHS), st.integers(0, 50)), max_size=60)


async def live_through(world: World, what_happens: list[tuple[str, int]]) -> None:
    acts: dict[str, Callable[[int], Awaitable[None]]] = {
        "write": world.write,
        "commit": world.commit,
        "crash": world.crash,
        "power cut": world.power_cut,
    }
    await world.start()
    for name, number in what_happens:
        if name == "deliver":
            world.network.deliver(number)
        elif name == "double":
            world.network.deliver(number, is_kept=True)
        elif name == "lose":
            world.network.lose(number)
        elif name == "turns":
            await turns(3)
        else:
            await acts[name](number)
    await world.heal()


def check_equal(world: World) -> None:
    known = [editor.document.encode() for editor in world.editors]
    documents = world.documents()
    assert known == known[:1] * len(known)
    assert documents == known[:1] * len(documents)


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logged, "GAP_PATIENCE_S", 0.0)
    monkeypatch.setattr("collab.engine.peers.ANSWER_PATIENCE_S", 0.0)


@given(what_happens=steps_with_deaths, seed=st.integers(0, 2**32))
@settings(max_examples=60)
def test_logged_rooms_end_equal_in_all_processes_and_in_the_log(
    what_happens: list[tuple[str, int]], seed: int
) -> None:
    async def run() -> None:
        log = MemoryLog([ROOM])
        world = World(log, seed)
        try:
            await live_through(world, what_happens)
            check_equal(world)
            part = await log.read(ROOM, 0)
            assert part is not None
            stored = document_of(*part.updates)
            assert [stored.encode()] * len(world.documents()) == world.documents()
            for promised in (world.acknowledged, *(editor.acknowledged for editor in world.editors)):
                assert all(stored.contains(parse_update(data)) for data in promised)
        finally:
            await world.stop()

    asyncio.run(run())


class SlowCompactor:
    """A compactor without a sandbox, which takes a few turns and now and then fails or answers nonsense."""

    def __init__(self, choice: random.Random) -> None:
        self._choice = choice

    async def collect(self, update: bytes) -> bytes:
        await turns(self._choice.randrange(30))
        if self._choice.random() < 0.2:
            raise CompactionError("It was the end of the worker.")
        if self._choice.random() < 0.1:
            return b"\x00\x00"
        try:
            return collector.collect(update)
        except collector.CollectionError as error:
            raise CompactionError(str(error)) from error


@given(what_happens=steps_with_deaths, seed=st.integers(0, 2**32))
@settings(max_examples=60)
def test_logged_rooms_that_are_compacted_meanwhile_end_with_the_same_text(
    what_happens: list[tuple[str, int]], seed: int
) -> None:
    """What was deleted may be left out here and not there, so that the bytes need not be equal."""

    async def run() -> None:
        log = MemoryLog([ROOM])
        world = World(log, seed, SlowCompactor(random.Random(seed)))
        try:
            await live_through(world, what_happens)
            part = await log.read(ROOM, 0)
            assert part is not None
            stored = document_of(*part.updates)
            documents = [stored, *(editor.document for editor in world.editors)]
            encoded = [*world.documents(), *(document.encode() for document in documents)]
            assert len({_said(document_of(update)) for update in encoded}) == 1
            for promised in (world.acknowledged, *(editor.acknowledged for editor in world.editors)):
                assert all(stored.contains(parse_update(data)) for data in promised)
        finally:
            await world.stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.WORDS", WHOLE_WORDS)
        patch.setattr(positions, "CHECKPOINT_ROWS", 2)
        patch.setattr(compaction, "MIN_BYTES", 0)
        patch.setattr(compaction, "GROWTH", 1)
        patch.setattr(compaction, "WORTH", 2)
        asyncio.run(run())


def _said(document: Document) -> tuple[str, bytes, bytes]:
    """What a document shows, how far it goes, and what is deleted in it."""
    replica: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    replica.apply_update(document.encode())
    shown = str(replica.get("t", type=pycrdt.Text))
    return shown, document.encoded_state_vector(), document.encoded_deletes()


@given(what_happens=steps, seed=st.integers(0, 2**32))
@settings(max_examples=60)
def test_rooms_without_a_log_end_equal_in_all_processes(
    what_happens: list[tuple[str, int]], seed: int
) -> None:
    async def run() -> None:
        world = World(None, seed)
        try:
            await live_through(world, what_happens)
            check_equal(world)
        finally:
            await world.stop()

    asyncio.run(run())
