"""What honest clients feel of hostile ones in their room, on a real server.

    python -m benchmarks.hostile --frames 100000

Starts `manage.py serve` on a SQLite file of its own. Twenty honest clients write into one room, at first
alone. Then fifty sockets of three other users (each may have twenty) send frames of the fuzzers' corpus into
that room, half of them changed at random, several in one go, and come back at once when they are closed. The
attackers run in a process of their own, with a low priority: what they compete for is the server, not the
machine. At the end: latency from one honest client to the others, whether each holds what the room holds, and
the memory.
Linux only. Exit status 1: something broke, or the honest clients' p95 more than doubled.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from benchmarks.rooms_memory import MIB_IN_KIB, ROOT, Site, make_site, running_server, sample, say, var_uint
from collab.engine.document import Document
from collab.engine.gate import parse_state_vector, parse_update
from collab.engine.protocol import (
    SyncStep1,
    SyncStep2,
    Update,
    create_awareness_message,
    create_sync_step_1_message,
    create_sync_step_2_message,
    create_update_message,
    decode_message,
)

SOCKETS, HONEST, ATTACKERS = 50, 20, 3
#: The client id of the first of them; none of the corpus comes near.
HONEST_ID = 1 << 40
WRITES_PER_S = 2.0
PIPELINED = 20
#: Time for what is queued to arrive after the last write.
SETTLED_S = 5.0
_MARK = re.compile(rb"~(\d\d)(\d{6})")


@dataclass(slots=True)
class Honest:
    """One client: what it wrote, every frame that it was sent, and how late marks of others came."""

    number: int
    line: ClientConnection
    written: list[bytes] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    seen: set[tuple[int, int]] = field(default_factory=set)
    closed: str = ""

    @property
    def client(self) -> int:
        return HONEST_ID + self.number

    def update(self) -> bytes:
        clock = 9 * len(self.written)
        mark = b"~%02d%06d" % (self.number, len(self.written))
        place = b"\x84" + var_uint(self.client) + var_uint(clock - 1) if clock else b"\x04\x01\x01h"
        data = b"\x01\x01" + var_uint(self.client) + var_uint(clock) + place + b"\x09" + mark + b"\x00"
        self.written.append(data)
        return data

    def document(self) -> Document:
        """What it holds, by its own updates and what it was sent."""
        document = Document()
        for data in self.written:
            document.take_in(parse_update(data))
        for frame in self.frames:
            message = decode_message(frame)
            if isinstance(message, SyncStep2 | Update):
                document.take_in(parse_update(message.update))
        return document


class Scene:
    """The honest clients; `latencies_ms` is of the phase that is going on."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self._sent_at: dict[tuple[int, int], float] = {}
        self.latencies_ms: list[float] = []
        self.honest: list[Honest] = []

    async def join(self) -> None:
        for number in range(HONEST):
            self.honest.append(Honest(number, await self._connect(self._token)))

    async def _connect(self, token: str) -> ClientConnection:
        headers = {"Authorization": f"Bearer {token}"}
        return await connect(
            self._url, additional_headers=headers, compression=None, max_size=None, max_queue=None
        )

    async def listen(self, honest: Honest) -> None:
        with suppress(ConnectionClosed):
            await honest.line.send(create_sync_step_1_message(b"\x00"))
            async for frame in honest.line:
                now = time.perf_counter()
                if not isinstance(frame, bytes) or frame[:1] != b"\x00":
                    continue
                if isinstance(question := decode_message(frame), SyncStep1):
                    known = parse_state_vector(question.state_vector)
                    await honest.line.send(create_sync_step_2_message(honest.document().difference(known)))
                    continue
                honest.frames.append(frame)
                for found in _MARK.finditer(frame):
                    mark = int(found[1]), int(found[2])
                    if mark not in honest.seen and mark in self._sent_at:
                        honest.seen.add(mark)
                        self.latencies_ms.append((now - self._sent_at[mark]) * 1000)
        honest.closed = f"{honest.line.close_code} {honest.line.close_reason}"

    async def write(self, honest: Honest) -> None:
        random = Random(honest.number)
        while not honest.closed:
            await asyncio.sleep(random.uniform(0.5, 1.5) / WRITES_PER_S)
            data = honest.update()
            self._sent_at[honest.number, len(honest.written) - 1] = time.perf_counter()
            honest.seen.add((honest.number, len(honest.written) - 1))
            with suppress(ConnectionClosed):
                await honest.line.send(create_update_message(data))

    async def newcomer(self, token: str) -> Document:
        """The room as somebody finds it who was not there."""
        line = await self._connect(token)
        await line.send(create_sync_step_1_message(b"\x00"))
        async for frame in line:
            if isinstance(frame, bytes) and isinstance(message := _read(frame), SyncStep2):
                document = Document()
                document.take_in(parse_update(message.update))
                await line.close()
                return document
        raise RuntimeError(f"A newcomer is sent away: {line.close_code} {line.close_reason}")


def _read(frame: bytes) -> object:
    return decode_message(frame) if frame[:1] == b"\x00" else None


# -- the attackers' process


def hostile_frames() -> list[bytes]:
    corpus = ROOT / "tests" / "fuzz" / "corpus"

    def read(name: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted((corpus / name).glob("*"))]

    updates = [create_update_message(data) for data in read("gate")]
    questions = [create_sync_step_1_message(data) for data in read("state_vector")]
    presence = [create_awareness_message(data) for data in read("awareness")]
    return updates + questions + presence + read("y_websocket")


async def attack(url: str, tokens: Sequence[str], count: int, seed: int) -> Counter[str]:
    """Send so many frames, and count by what lines were closed."""
    from tests.fuzz.mutations import mutated  # noqa: PLC0415  # only here

    frames, told = hostile_frames(), Counter[str]()
    left = count

    async def socket(number: int) -> None:
        nonlocal left
        random = Random(seed + number)
        headers = {"Authorization": f"Bearer {tokens[number % len(tokens)]}"}
        while left > 0:
            try:
                async with connect(
                    url, additional_headers=headers, compression=None, max_size=None, open_timeout=60
                ) as line:
                    reading = asyncio.create_task(_swallow(line))
                    while left > 0:
                        for _ in range(PIPELINED):
                            frame = random.choice(frames)
                            if random.random() < 0.5:
                                frame = mutated(frame, frames, random)
                            await line.send(frame)
                            left -= 1
                            told["frames"] += 1
                        await asyncio.sleep(0.02)
                    reading.cancel()
            except ConnectionClosed as error:
                told[f"closed {error.rcvd.code if error.rcvd else 'without a word'}"] += 1
            except (OSError, InvalidHandshake, TimeoutError) as error:
                told[type(error).__name__] += 1
                await asyncio.sleep(0.1)

    await asyncio.gather(*(socket(number) for number in range(SOCKETS)))
    return told


async def _swallow(line: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        async for _ in line:
            pass


# -- the run


async def run(port: int, site: Site, pid: int, options: argparse.Namespace) -> bool:
    url = f"ws://127.0.0.1:{port}/ws/{site.rooms[0]}"
    scene = Scene(url, site.token)
    await scene.join()
    tasks = [asyncio.create_task(scene.listen(honest)) for honest in scene.honest]
    writers = [asyncio.create_task(scene.write(honest)) for honest in scene.honest]
    await asyncio.sleep(3)  # warm
    scene.latencies_ms = []
    await asyncio.sleep(options.calm_s)
    calm, scene.latencies_ms = scene.latencies_ms, []
    memory = [sample(pid, 0).resident]
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(
            "nice",
            "-n",
            "19",
            sys.executable,
            "-m",
            "benchmarks.hostile",
            "--attack",
            url,
            "--frames",
            str(options.frames),
        ),
        *("--seed", str(options.seed)),
        env={**os.environ, "HOSTILE_TOKENS": " ".join(site.others[:ATTACKERS])},
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    reading = asyncio.create_task(process.communicate())
    while not reading.done():
        seen = len(scene.latencies_ms)
        await asyncio.wait([reading], timeout=5)
        memory.append(sample(pid, 0).resident)
        p95 = percentile(scene.latencies_ms[seen:], 95)
        say(f"{time.monotonic() - started:5.0f} s  {memory[-1] / MIB_IN_KIB:7.1f} MiB  p95 {p95:7.1f} ms")
    took_s = time.monotonic() - started
    attacked = scene.latencies_ms
    told = json.loads((await reading)[0] or b"{}")
    for writer in writers:
        writer.cancel()
    await asyncio.sleep(SETTLED_S)
    room_holds = await scene.newcomer(site.others[-1])
    for task in tasks:
        task.cancel()
    await asyncio.sleep(SETTLED_S)
    memory.append(sample(pid, 0).resident)
    return _report(scene, room_holds, calm=calm, attacked=attacked, memory=memory, told=told, took_s=took_s)


def _told(document: Document) -> tuple[dict[int, int], bytes, list[bytes]]:
    """How far each client is known, what is deleted, and the bytes of the honest ones.

    Of two things that a hostile client says for one clock, the order tells which one stays, as in Yjs.
    """
    runs = parse_update(document.encode()).runs
    wrote = [b"".join(run.data for run in runs.get(HONEST_ID + number, ())) for number in range(HONEST)]
    return document.state_vector(), document.encoded_deletes(), wrote


def percentile(values: Sequence[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("nan")


def _report(
    scene: Scene,
    room_holds: Document,
    *,
    calm: list[float],
    attacked: list[float],
    memory: Sequence[int],
    told: dict[str, int],
    took_s: float,
) -> bool:
    right = _told(room_holds)
    own = sum(
        all(room_holds.contains(parse_update(data)) for data in honest.written) for honest in scene.honest
    )
    level = sum(_told(honest.document()) == right for honest in scene.honest)
    closed = [honest.closed for honest in scene.honest if honest.closed]
    marks = {(honest.number, mark) for honest in scene.honest for mark in range(len(honest.written))}
    missing = sum(len(marks - honest.seen) for honest in scene.honest)
    before, after = percentile(calm, 95), percentile(attacked, 95)
    say(f"{told.pop('frames', 0)} hostile frames in {took_s:.0f} s; {told}")
    say(f"honest clients closed: {len(closed)} {closed}; marks that did not arrive: {missing}")
    say(f"hold what the room holds: {level} of {HONEST}; the room has all they wrote: {own} of {HONEST}")
    say(f"latency alone: median {percentile(calm, 50):.1f} ms, p95 {before:.1f} ms, {len(calm)} deliveries")
    say(
        f"latency then: median {percentile(attacked, 50):.1f} ms, p95 {after:.1f} ms, "
        f"{len(attacked)} deliveries"
    )
    sizes = (f"{size / MIB_IN_KIB:.1f}" for size in (memory[0], max(memory), memory[-1]))
    say(f"memory before, at most, after: {', '.join(sizes)} MiB")
    say(f"the room: {len(room_holds.encode())} bytes, {len(room_holds.state_vector())} clients")
    return not closed and not missing and level == own == HONEST and after <= 2 * before


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=1_000_000, help="hostile frames (default: 1000000)")
    parser.add_argument("--calm-s", type=float, default=10.0, help="time without them (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="of the changes (default: 1)")
    parser.add_argument("--attack", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack:
        tokens = os.environ["HOSTILE_TOKENS"].split()
        told = asyncio.run(attack(options.attack, tokens, options.frames, options.seed))
        sys.stdout.write(json.dumps(told))
        return 0
    with tempfile.TemporaryDirectory(prefix="gatehouse-hostile-") as name:
        port = _free_port()
        os.environ.update(
            DATABASE_URL=f"sqlite:///{name}/rooms.sqlite3",
            REDIS_URL="",
            DEBUG="1",
            SECRET_KEY=secrets.token_urlsafe(64),
            ACCESS_TOKEN_LIFETIME_S="86400",
            DJANGO_SETTINGS_MODULE="backend.settings",
        )
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, check=True)
        site = make_site(1, others=ATTACKERS + 1)
        with running_server(port, Path(name) / "server.log") as pid:  # raises for a traceback in the log
            is_good = asyncio.run(run(port, site, pid, options))
    return int(not is_good)


def _free_port() -> int:
    import socket  # noqa: PLC0415

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
