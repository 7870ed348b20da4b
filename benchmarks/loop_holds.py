"""How long one frame, or any other work of the live engine, holds the event loop.

    python -m benchmarks.loop_holds
    python -m benchmarks.loop_holds --only newcomer

Runs the live engine on a SQLite file of its own, with clients that take what they are sent as the server's
sockets do. For each kind of heavy document and heavy frame the longest callback of the event loop is told, in
milliseconds of this thread's CPU time, without the collector of cycles, whose longest pass has a column of
its own; and the longest time in which the event loop did not come round, which other programs on the machine
make longer, and so do threads that keep the interpreter to themselves. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from asyncio.events import Handle
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from benchmarks.rooms_memory import ROOT, make_site, say, var_uint
from collab.engine.outlet import Outlet
from collab.engine.reception import receive

if TYPE_CHECKING:
    from collab.engine.connection import Connection
    from collab.engine.room import LiveRoom
    from collab.live import LiveEngine

MILLION = 1_000_000
PART_BYTES = 64 * 1024
#: As the limit of a message.
MAX_FRAME_BYTES = 4 * 1024 * 1024 - 64
TICK_S = 0.001
#: Where a callback is that takes longer is told.
LONG_S = 0.005
ROOMS = 16


# -- what is measured


class Holds:
    """The longest callback and the longest pass of the collector since `clear()`, in ms."""

    def __init__(self) -> None:
        self.clear()
        self._gc_started_at = 0.0
        self._gc_in_callback_s = 0.0

    def clear(self) -> None:
        self.longest_ms = self.gc_ms = self.late_ms = 0.0
        self.where = self._seen_at = ""

    def watch(self) -> None:
        """Time every callback of every asyncio event loop from now on."""
        run = Handle._run

        def timed(handle: Handle) -> None:
            self._gc_in_callback_s = 0.0
            self._seen_at = ""
            started_at = time.thread_time()
            signal.setitimer(signal.ITIMER_REAL, LONG_S)
            run(handle)
            signal.setitimer(signal.ITIMER_REAL, 0)
            took_ms = (time.thread_time() - started_at - self._gc_in_callback_s) * 1000
            if took_ms > self.longest_ms:
                self.longest_ms, self.where = took_ms, self._seen_at

        signal.signal(signal.SIGALRM, self._look)
        Handle._run = timed  # type: ignore[method-assign, assignment]
        gc.callbacks.append(self._collector)

    def _look(self, signum: int, frame: FrameType | None) -> None:
        """A callback is taking long: note where it is now, or has just been."""
        stack = traceback.extract_stack(frame, limit=4)
        self._seen_at = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(stack))

    def _collector(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._gc_started_at = time.thread_time()
        else:
            took_s = time.thread_time() - self._gc_started_at
            self._gc_in_callback_s += took_s
            self.gc_ms = max(self.gc_ms, took_s * 1000)

    async def tick(self) -> None:
        """Note how late the event loop comes round, for ever."""
        while True:
            started_at = time.perf_counter()
            await asyncio.sleep(TICK_S)
            self.late_ms = max(self.late_ms, (time.perf_counter() - started_at - TICK_S) * 1000)


class Sink:
    """A client's line that takes parts of what it is sent, as the server's sockets do."""

    def __init__(self) -> None:
        self.received_bytes = 0
        self.parts = 0
        self.reads = asyncio.Event()
        self.outlet = Outlet()
        self.head = b""
        self.read()

    def read(self) -> None:
        self.reads.set()
        self.outlet.write = self._take

    def stop(self) -> None:
        self.reads.clear()
        self.outlet.write = None

    def _take(self, frame: bytes) -> None:
        self.received_bytes += len(frame)
        self.parts += 1

    async def send(self, frame: Any) -> None:
        view = memoryview(frame) if isinstance(frame, bytes) else frame
        for start in range(0, len(frame), PART_BYTES):
            await self.reads.wait()
            self.received_bytes += len(bytes(view[start : start + PART_BYTES]))
            self.parts += 1
            await asyncio.sleep(0)

    async def close(self, code: int, reason: str) -> None:
        say(f"    a connection is closed: {code} {reason}")

    def abort(self, code: int, reason: str) -> None:
        self.reads.set()

    def progress(self) -> int:
        return self.parts


@dataclass(slots=True)
class Client:
    """A connection in a room."""

    connection: Connection
    sink: Sink
    room: LiveRoom
    draining: asyncio.Task[None]

    async def say(self, frame: bytes) -> None:
        await receive(self.room, self.connection, frame)

    async def settle(self) -> None:
        """Wait until everything is sent to it, and that is saved which was written."""
        before = -1
        while before != self.sink.received_bytes:
            before = self.sink.received_bytes
            await asyncio.sleep(0.1)


class Scene:
    """The live engine, and rooms of it that nobody has used."""

    def __init__(self, engine: LiveEngine, rooms: list[str], holds: Holds) -> None:
        self.engine = engine
        self.holds = holds
        self._rooms = rooms

    def new_room(self) -> str:
        return self._rooms.pop()

    async def join(self, room_name: str) -> Client:
        from collab.engine.connection import Connection  # noqa: PLC0415  # after `django.setup()`

        sink = Sink()
        connection = Connection(sink, self.engine.limits, clock=self.engine.clock)
        room = await self.engine.stored.join(room_name, connection)
        return Client(connection, sink, room, asyncio.create_task(connection.drain()))

    def leave(self, *clients: Client) -> None:
        for client in clients:
            client.room.leave(client.connection)
            client.draining.cancel()
        self.engine.stored.leave(clients[0].room, clients[0].connection)

    async def closed(self, name: str) -> None:
        """Wait until the room is no longer in memory, and its checkpoint is written."""
        while self.engine.stored.find(name) is not None:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)

    async def checkpointed(self, name: str, beyond: int) -> int:
        """Wait for a checkpoint of the room that goes further; how far it goes."""
        from collab.models import Checkpoint  # noqa: PLC0415

        while True:
            found = Checkpoint.objects.filter(pk=UUID(name), seq__gt=beyond).values_list("seq", flat=True)
            if (seq := await found.afirst()) is not None:
                return seq
            await asyncio.sleep(0.2)

    @asynccontextmanager
    async def timed(self, name: str) -> AsyncIterator[None]:
        """A line of the table for what is done inside."""
        await asyncio.sleep(0.1)
        self.holds.clear()
        yield
        await asyncio.sleep(0.1)
        holds = self.holds
        say(f"{name:<58} {holds.longest_ms:>8.1f} {holds.gc_ms:>8.1f} {holds.late_ms:>8.1f}")
        if holds.where:
            say(f"    {holds.where}")


# -- heavy updates, by hand


def structs_of(client: int, clock: int, count: int, letters: int = 90) -> Iterator[bytes]:
    """Texts that stand behind each other, as one client types them."""
    body = b"\x84" + var_uint(client)
    text = var_uint(letters) + b"x" * letters
    for index in range(count):
        start = clock + index * letters
        yield body + var_uint(start - 1) + text if start else b"\x04\x01\x01t" + text


def written_by(client: int, clock: int, count: int, letters: int = 90) -> bytes:
    """The part of an update with so many texts of one client."""
    structs = b"".join(structs_of(client, clock, count, letters))
    return var_uint(count) + var_uint(client) + var_uint(clock) + structs


def update_of(parts: list[bytes], deletes: bytes = b"\x00") -> bytes:
    return var_uint(len(parts)) + b"".join(parts) + deletes


def long_document(size_bytes: int, clients: int = 64) -> bytes:
    count = size_bytes // clients // 100
    return update_of([written_by(1_000 + number, 0, count) for number in range(clients)])


def many_clients(count: int, first: int = 1) -> bytes:
    return update_of([written_by(first + number, 0, 1, 1) for number in range(count)])


def gaps(client: int, count: int, first: int) -> bytes:
    """Every other clock of a client, from `first` on."""
    structs = b"\x0a\x01".join([b"\x00\x01"] * count)
    return update_of([var_uint(2 * count - 1) + var_uint(client) + var_uint(first) + structs])


def state_vector(clocks: dict[int, int]) -> bytes:
    return var_uint(len(clocks)) + b"".join(var_uint(c) + var_uint(k) for c, k in clocks.items())


def awareness(first: int, count: int, state: bytes, clock: int = 1) -> bytes:
    one = var_uint(clock) + var_uint(len(state)) + state
    return var_uint(count) + b"".join(var_uint(first + number) + one for number in range(count))


# -- the scenes


async def long_room(scene: Scene) -> None:
    from collab.engine.protocol import create_sync_step_1_message, create_update_message  # noqa: PLC0415

    name = scene.new_room()
    from collab.store import write_checkpoint  # noqa: PLC0415

    await write_rows(name, [b"\x00\x00"])
    await asyncio.to_thread(write_checkpoint, UUID(name), 1, long_document(60 * MILLION), b"\x00")
    async with scene.timed("60 MB: first load"):
        first = await scene.join(name)
        await first.settle()
    known = first.room.document.state_vector()
    async with scene.timed("60 MB: newcomer"):
        await first.say(create_sync_step_1_message(b"\x00"))
        await first.settle()
    one = create_update_message(update_of([written_by(7, 0, 1)]))
    async with scene.timed("60 MB: update, newcomer"):
        await first.say(one)
        await first.say(create_sync_step_1_message(b"\x00"))
        await first.settle()
    old = create_sync_step_1_message(state_vector({c: clock // 2 + 1 for c, clock in known.items()}))
    async with scene.timed("60 MB: returning client that knows half"):
        await first.say(old)
        await first.settle()
    slow = await scene.join(name)
    await slow.settle()
    long = [create_update_message(update_of([written_by(8, n * 1_800_000, 20_000)])) for n in range(5)]
    async with scene.timed("60 MB: slow client falls behind, comes back"):
        slow.sink.stop()
        await slow.say(create_sync_step_1_message(b"\x00"))
        for frame in long:
            await first.say(frame)
        await asyncio.sleep(0.5)
        assert slow.connection.is_behind
        slow.sink.read()
        await slow.settle()
    async with scene.timed("60 MB: checkpoint and compaction"):
        for index in range(1_100):
            await first.say(create_update_message(update_of([written_by(9, index, 1, 1)])))
            await asyncio.sleep(0)
        seq = await scene.checkpointed(name, 1)
        await asyncio.sleep(2)  # the room goes on with what came back
    await first.say(create_update_message(update_of([var_uint(1) + b"\x0b\x00" + BIG_INT])))
    async with scene.timed("60 MB: checkpoint without compaction"):
        for index in range(1_100):
            await first.say(create_update_message(update_of([written_by(10, index, 1, 1)])))
            await asyncio.sleep(0)
        await scene.checkpointed(name, seq)
    async with scene.timed("60 MB: collector of cycles, all objects"):
        gc.collect()
    scene.leave(first, slow)


#: A value that is never encoded again, in an array.
BIG_INT = b"\x08\x01\x01a\x01\x7a" + bytes(8)


async def many_clients_room(scene: Scene) -> None:
    from collab.engine.protocol import create_sync_step_1_message, create_update_message  # noqa: PLC0415

    name = scene.new_room()
    first = await scene.join(name)
    count = 20_000
    for total in (20_000, 200_000):
        for start in range(0 if total == count else count, total, count):
            frame = create_update_message(many_clients(count, first=1_000 + start))
            if start in (0, total - count):
                async with scene.timed(f"20,000 new clients, {total:,} in all"):
                    await first.say(frame)
                    await first.settle()
            else:
                await first.say(frame)
        async with scene.timed(f"{total:,} clients: join"):
            client = await scene.join(name)
            await client.settle()
        async with scene.timed(f"{total:,} clients: update, join"):
            await first.say(create_update_message(update_of([written_by(7, total, 1)])))
            other = await scene.join(name)
            await other.settle()
        async with scene.timed(f"{total:,} clients: newcomer"):
            await client.say(create_sync_step_1_message(b"\x00"))
            await client.settle()
        known = create_sync_step_1_message(state_vector(dict.fromkeys(range(1_000, 1_000 + total // 2), 1)))
        long = [
            create_update_message(update_of([written_by(8 + total, index * 3_600_000, 40_000)]))
            for index in range(4)
        ]
        async with scene.timed(f"{total:,} clients: returning client that knows half"):
            await client.say(known)
            await client.settle()
        async with scene.timed(f"{total:,} clients: slow client falls behind, comes back"):
            client.sink.stop()
            await client.say(create_sync_step_1_message(b"\x00"))
            for part in long:
                await first.say(part)
            await asyncio.sleep(0.5)
            assert client.connection.is_behind
            client.sink.read()
            await client.settle()
        async with scene.timed(f"{total:,} clients: the same 20,000 again"):
            await first.say(frame)
            await first.settle()
        async with scene.timed(f"{total:,} clients: collector of cycles, all objects"):
            gc.collect()
        scene.leave(client)
        scene.leave(other)
    async with scene.timed("200,000 clients: left, checkpoint"):
        scene.leave(first)
        await scene.closed(name)
    async with scene.timed("200,000 clients: first load"):
        first = await scene.join(name)
        await first.settle()
    scene.leave(first)


async def gaps_room(scene: Scene) -> None:
    from collab.engine.protocol import create_sync_step_1_message, create_update_message  # noqa: PLC0415

    name = scene.new_room()
    first = await scene.join(name)
    other = await scene.join(name)
    frame = create_update_message(update_of([written_by(7, 0, 199_000, 1)]))
    async with scene.timed("200,000 structs in one update"):
        await first.say(frame)
        await first.settle()
    frame = create_update_message(gaps(5, 99_000, 1))
    async with scene.timed("100,000 gaps"):
        await first.say(frame)
        await first.settle()
    async with scene.timed("100,000 gaps: newcomer"):
        await other.say(create_sync_step_1_message(b"\x00"))
        await other.settle()
    async with scene.timed("100,000 gaps, one struct into the first"):
        await first.say(create_update_message(update_of([var_uint(1) + b"\x05\x02\x00\x01"])))
        await first.settle()
    async with scene.timed("100,000 gaps: collector of cycles, all objects"):
        gc.collect()
    frame = create_update_message(gaps(5, 99_000, 0))
    async with scene.timed("100,000 gaps filled"):
        await first.say(frame)
        await first.settle()
    deletes = b"".join(var_uint(2 * number) + b"\x01" for number in range(199_000))
    frame = create_update_message(b"\x00\x01\x07" + var_uint(199_000) + deletes)
    async with scene.timed("200,000 deleted ranges"):
        await first.say(frame)
        await first.settle()
    async with scene.timed("200,000 deleted ranges: newcomer"):
        await other.say(create_sync_step_1_message(b"\x00"))
        await other.settle()
    async with scene.timed("200,000 deleted ranges: left, checkpoint"):
        scene.leave(first)
        scene.leave(other)
        await scene.closed(name)
    async with scene.timed("200,000 deleted ranges: first load"):
        first = await scene.join(name)
        await first.settle()
    scene.leave(first)


async def awareness_room(scene: Scene) -> None:
    from collab.engine.ports import PresenceChanged  # noqa: PLC0415
    from collab.engine.protocol import create_awareness_message  # noqa: PLC0415

    first = await scene.join(scene.new_room())
    text = b'{"user":{"name":"%s"},"a":[%s]}'
    worst = b'{"a":[' + b",".join([b"{}"] * 5_400) + b"]}"
    for kind, state in (
        ("long", text % (b"n" * 16_000, b"")),
        ("of empty objects", worst),
        ("of numbers", text % (b"", b",".join([b"1"] * 8_000))),
    ):
        client = await scene.join(first.room.name)
        frame = create_awareness_message(awareness(secrets.randbits(40), 8, state))
        async with scene.timed(f"8 awareness states of 16 KiB, {kind}"):
            await client.say(frame)
            await client.settle()
    state = b'{"user":{"name":"Somebody"},"cursor":null}'
    for number in range(1_250):
        ids = awareness(1_000 + 8 * number, 8, state)
        first.room.received(PresenceChanged(first.room.name, f"c{number}", f"u{number}", ids))
        await asyncio.sleep(0)
    await asyncio.sleep(0.3)
    frame = create_awareness_message(awareness(1_000, 10_000, state))
    async with scene.timed("10,000 awareness states: echo"):
        await first.say(frame)
        await first.settle()
    async with scene.timed("10,000 awareness states: newcomer"):
        client = await scene.join(first.room.name)
        await client.settle()
    name = first.room.name
    async with scene.timed("10,000 awareness states: all change at once"):
        for number in range(1_250):
            ids = awareness(1_000 + 8 * number, 8, state, clock=2)
            first.room.received(PresenceChanged(name, f"c{number}", f"u{number}", ids, "elsewhere"))
            if number % 10 == 0:
                await asyncio.sleep(0)
        await first.settle()
    async with scene.timed("10,000 awareness states: sweep"):
        await scene.engine.stored.sweep()
    async with scene.timed("10,000 awareness states: their process died"):
        await scene.engine.stored.forget_process("elsewhere")
        await first.settle()
    scene.leave(first)


async def rows_room(scene: Scene) -> None:
    from collab.engine.ports import CommittedRows  # noqa: PLC0415

    name = scene.new_room()
    rows = [update_of([written_by(5, index, 1, 1)]) for index in range(10_000)]
    for start in range(0, len(rows), 500):
        await write_rows(name, rows[start : start + 500])
    async with scene.timed("10,000 short rows: first load"):
        first = await scene.join(name)
        await first.settle()
    seq = 10_000
    own = [update_of([written_by(6, index, 1, 1)]) for index in range(3_500)]
    async with scene.timed("64 KiB of rows from another process"):
        first.room.received(CommittedRows(name, seq + 3_500, tuple(enumerate(own, seq + 1))))
        await first.settle()
    scene.leave(first)


SCENES = {
    "long": long_room,
    "clients": many_clients_room,
    "gaps": gaps_room,
    "awareness": awareness_room,
    "rows": rows_room,
}


async def write_rows(name: str, rows: list[bytes]) -> None:
    from collab.engine.ports import NewRow  # noqa: PLC0415
    from collab.store import append_rows  # noqa: PLC0415

    await asyncio.to_thread(append_rows, [NewRow(name, data, None) for data in rows])


async def run(rooms: list[str], names: list[str]) -> None:
    from backend.server import keep_long_blocks_apart, set_apart_what_stays  # noqa: PLC0415
    from collab.live import get_engine, stop_engine  # noqa: PLC0415

    holds = Holds()
    holds.watch()
    ticking = asyncio.create_task(holds.tick())
    set_apart_what_stays()
    keep_long_blocks_apart()
    scene = Scene(get_engine(), rooms, holds)
    say(f"{'ms':<58} {'callback':>8} {'cycles':>8} {'late':>8}")
    for name in names:
        await SCENES[name](scene)
    ticking.cancel()
    await stop_engine()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.loop_holds", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--only", action="append", choices=SCENES, help="one of the scenes; may be repeated")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatehouse-holds-") as folder:
        os.environ.update(
            DATABASE_URL=f"sqlite:///{folder}/rooms.sqlite3",
            REDIS_URL="",
            DEBUG="0",
            ALLOWED_HOSTS="127.0.0.1",
            SECRET_KEY=secrets.token_urlsafe(64),
            COLLAB_WORK_PERCENT="100",
            COLLAB_MESSAGES_PER_S="100000",
            COLLAB_MESSAGE_BURST="100000",
            COLLAB_MAX_DOCUMENT_BYTES=str(256 * MILLION),
            DJANGO_SETTINGS_MODULE="backend.settings",
        )
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, check=True)
        site = make_site(ROOMS)
        asyncio.run(run(list(site.rooms), options.only or list(SCENES)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
