"""Two honest clients in a live room beside hostile ones, with everything that connects them in memory.

What the bytes of the input say happens, step by step: honest typing, hostile frames from the corpus, as
they are, changed, again or while another one is still being read; questions, commits, lines that close. Then
the honest clients must hold what the room holds, and the room must be what the gate lets through.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from collab.engine.document import Document
from collab.engine.errors import CollabError
from collab.engine.gate import parse_update
from collab.engine.limits import Limits
from collab.engine.protocol import (
    SyncStep2,
    Update,
    create_awareness_message,
    create_sync_step_1_message,
    create_update_message,
    decode_message,
)
from collab.engine.reception import receive, receive_at_once
from collab.engine.room import LiveRoom
from tests.engine.builders import typed
from tests.engine.scripted import Client, FakeClock, NoReplication, turns
from tests.fuzz.mutations import mutated

CORPUS = Path(__file__).with_name("corpus")
LIMITS = Limits(
    max_message_bytes=16 * 1024,
    max_structs_per_update=500,
    max_document_bytes=256 * 1024,
    outbox_bytes=32 * 1024,
    messages_per_s=10**6,
    message_burst=10**6,
    work_percent=100_000,
)
MAX_STEPS = 64
HONEST_IDS = (0x5EED_0001, 0x5EED_0002)
_loop: asyncio.AbstractEventLoop | None = None


def corpus(name: str) -> list[bytes]:
    """The kept inputs of a target."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


def rooms(data: bytes) -> None:
    """Every byte is a step, see the module."""
    _run(_play(data))


def awareness(data: bytes) -> None:
    """What others are told of a presence is a presence again."""
    _run(_tell(data))


def _run(scene: object) -> None:
    global _loop  # noqa: PLW0603  # one loop for all inputs: a new one costs more than most of them
    if _loop is None:
        _loop = asyncio.new_event_loop()
    _loop.run_until_complete(scene)  # type: ignore[arg-type]


def told(document: Document) -> tuple[dict[int, int], bytes, list[bytes]]:
    """How far each client is known, what is deleted, and what the honest ones wrote.

    Where a hostile client says two things of one clock, it depends on the order what becomes of that, in any
    Yjs document; so its content is left out.
    """
    runs = parse_update(document.encode()).runs
    wrote = [b"".join(run.data for run in runs.get(number, ())) for number in HONEST_IDS]
    return document.state_vector(), document.encoded_deletes(), wrote


class _Honest:
    """A client that types, and holds what it typed and what it was sent."""

    def __init__(self, client: Client, number: int) -> None:
        self.client = client
        self.document = Document()
        self._number = number
        self._clock = 0
        self._seen = 0

    def type(self) -> bytes:
        data = typed(self._number, "ab", self._clock)
        self._clock += 2
        self.document.take_in(parse_update(data))
        return create_update_message(data)

    def read(self) -> None:
        frames = self.client.frames[self._seen :]
        self._seen += len(frames)
        for frame in frames:
            if frame[0] == 2:
                raise AssertionError("an honest client was denied")
            message = decode_message(frame)
            if isinstance(message, SyncStep2 | Update):
                self.document.take_in(parse_update(message.update))


class _Scene:
    def __init__(self, seed: bytes) -> None:
        self.random = Random(seed)
        self.clock = FakeClock()
        self.log = NoReplication()
        self.room = LiveRoom("r", self.log, lambda message: None, LIMITS, self.clock)
        self.frames = [create_update_message(data) for data in corpus("gate")] + corpus("y_websocket")
        self.tasks: list[asyncio.Task[None]] = []
        self.clients: list[Client] = []
        self.honest = [_Honest(self.join(), number) for number in HONEST_IDS]
        self.hostile = [self.join(), self.join()]

    def join(self) -> Client:
        client = Client(self.clock, LIMITS)
        self.clients.append(client)
        self.room.join(client.connection)
        return client

    async def send(self, index: int, frame: bytes) -> None:
        """A hostile frame; who is refused comes again."""
        client = self.hostile[index]
        try:
            if not receive_at_once(self.room, client.connection, frame):
                await receive(self.room, client.connection, frame)
        except CollabError as error:
            self.room.close_connection(client.connection, error)
            if self.hostile[index] is client:
                self.hostile[index] = self.join()

    async def step(self, byte: int) -> None:
        who = byte & 1
        match byte >> 1 & 15:
            case 0 | 1 | 2:
                honest = self.honest[who]
                await receive(self.room, honest.client.connection, honest.type())
            case 3:
                empty = create_sync_step_1_message(b"\x00")
                await receive(self.room, self.honest[who].client.connection, empty)
            case 4 | 5 | 6:
                await self.send(who, self.random.choice(self.frames))
            case 7 | 8 | 9 | 10:
                frame = mutated(self.random.choice(self.frames), self.frames, self.random)
                self.frames.append(frame)
                await self.send(who, frame)
            case 11:
                frame = self.random.choice(self.frames)
                self.tasks.append(asyncio.create_task(self.send(who, frame)))
            case 12:
                await turns(self.random.randrange(4))
            case 13:
                self.log.save()
            case 14:
                if self.tasks:
                    self.random.choice(self.tasks).cancel()
            case _:
                self.room.leave(self.hostile[who].connection)
                self.hostile[who] = self.join()


async def _play(data: bytes) -> None:
    scene = _Scene(data)
    try:
        for byte in data[:MAX_STEPS]:
            await scene.step(byte)
            size = scene.room.document.size_bytes
            if size > LIMITS.max_document_bytes + 256 * LIMITS.max_structs_per_update:
                raise AssertionError("a document stays within its limit")
        for result in await asyncio.gather(*scene.tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        await turns()
        right = told(scene.room.document)
        for honest in scene.honest:
            honest.read()
            if told(honest.document) != right:
                raise AssertionError("an honest client holds what the room holds")
    finally:
        for client in scene.clients:
            await client.end()


async def _tell(data: bytes) -> None:
    clock = FakeClock()
    room = LiveRoom("r", NoReplication(), lambda message: None, LIMITS, clock)
    clients = [Client(clock, LIMITS), Client(clock, LIMITS)]
    for client in clients:
        room.join(client.connection)
    try:
        try:
            await receive(room, clients[0].connection, create_awareness_message(data))
        finally:
            await turns(4)
            frames = [frame for frame in clients[1].frames if frame[0] == 1]
            for frame in frames:  # the gate takes what it gives
                await receive(room, clients[1].connection, frame)
    finally:
        for client in clients:
            await client.end()
