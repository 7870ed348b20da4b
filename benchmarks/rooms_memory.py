"""What a server process holds in memory after it has opened and left many rooms.

    python -m benchmarks.rooms_memory --rooms 10000

Starts `manage.py serve` on a SQLite file of its own, as it is shipped. In every room a client joins, writes
one update, waits until that is saved and leaves. Each line of the table is taken when all rooms are closed
again. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
from django.apps import apps
from django.db import connections
from websockets.asyncio.client import connect

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 30.0
#: How long rooms stay open without anybody in them, and time to write their checkpoints.
CLOSED_AFTER_S = 10.0 + 5.0
SYNC, UPDATE = 0, 2
STEP_2_FRAME = b"\x00\x01"
MIB_IN_KIB = 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory of the server process, in KiB, after so many rooms."""

    rooms: int
    resident: int
    anonymous: int


@dataclass(frozen=True, slots=True)
class Site:
    """Rooms that exist, a token for all of them, and tokens of others who may write there."""

    rooms: Sequence[str]
    token: str
    others: Sequence[str] = ()


def make_site(count: int, *, others: int = 0) -> Site:
    """Write the rooms past the services: `DATABASE_URL` is that of the server."""
    django.setup()
    from rest_framework_simplejwt.tokens import AccessToken  # noqa: PLC0415  # reads the settings

    model = apps.get_model
    make_user = model("accounts.User").objects.create_user
    user = make_user("reader@example.com", None, name="Reader")
    strangers = [make_user(f"other-{number}@example.com", None, name="Other") for number in range(others)]
    organization = model("accounts.Organization").objects.create(name="Rooms")
    rooms = model("collab.Room").objects
    made = rooms.bulk_create([rooms.model(organization=organization, name=str(n)) for n in range(count)])
    heads, members = model("collab.RoomHead").objects, model("collab.RoomMember").objects
    heads.bulk_create([heads.model(room=room) for room in made])
    roles = [(user, "owner"), *((stranger, "editor") for stranger in strangers)]
    members.bulk_create(members.model(room=room, user=who, role=role) for room in made for who, role in roles)
    connections.close_all()
    tokens = [str(AccessToken.for_user(who)) for who in (user, *strangers)]
    return Site([str(room.pk) for room in made], tokens[0], tokens[1:])


@contextmanager
def running_server(port: int, log: Path) -> Iterator[int]:
    """`manage.py serve` in this process's environment; its process id.

    Raises:
        RuntimeError: it does not start, or its log has a traceback at the end.
    """
    command = [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as process,
    ):
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not _is_healthy(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"The server does not start:\n{log.read_text()[-4000:]}")
                time.sleep(0.1)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    if "Traceback" in log.read_text():
        raise RuntimeError(f"The server's log has a traceback:\n{log.read_text()[-4000:]}")


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def sample(pid: int, rooms: int) -> Sample:
    fields = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, size, *_ = line.split()
        fields[name] = int(size)
    return Sample(rooms, fields["Rss:"], fields["Anonymous:"])


async def visit(url: str, token: str, *, writes: bool) -> None:
    """Join a room, write into it and wait until that is saved, or wait for its content; leave."""
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(f"{url}?echo=1", additional_headers=headers, compression=None) as line:
        frame = new_update() if writes else bytes((SYNC, 0, 1, 0))  # or a question with an empty state vector
        await line.send(frame)
        async for answer in line:
            if answer == frame or (not writes and isinstance(answer, bytes) and answer[:2] == STEP_2_FRAME):
                return
    raise RuntimeError(f"closed with {line.close_code} {line.close_reason}")


def new_update() -> bytes:
    """The frame of an update by a client that nobody knows: five letters in the text `text`."""
    client = var_uint(secrets.randbits(32))
    update = b"\x01\x01" + client + b"\x00" + b"\x04\x01\x04text" + b"\x05hello" + b"\x00"
    return bytes((SYNC, UPDATE)) + var_uint(len(update)) + update


def var_uint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes((*encoded, number))


async def visit_all(port: int, rooms: Sequence[str], token: str, *, writes: bool, clients: int) -> None:
    """Visit every room once, with so many clients at a time."""
    waiting = iter(rooms)

    async def client() -> None:
        for room in waiting:
            await visit(f"ws://127.0.0.1:{port}/ws/{room}", token, writes=writes)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())


def measure(options: argparse.Namespace) -> list[Sample]:
    """The first sample is taken after the warm-up."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-rooms-memory-") as name, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        os.environ.update(
            DATABASE_URL=f"sqlite:///{name}/rooms.sqlite3",
            REDIS_URL="",
            DEBUG="0" if options.production else "1",
            ALLOWED_HOSTS="127.0.0.1",
            SECRET_KEY=secrets.token_urlsafe(64),
            ACCESS_TOKEN_LIFETIME_S="86400",
            DJANGO_SETTINGS_MODULE="backend.settings",
        )
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, check=True)
        site = make_site(options.warm_up + options.rooms)
        with running_server(port, Path(name) / "server.log") as pid:
            samples, visited = [], 0
            say("  rooms  resident MiB  anonymous MiB   growth  KiB a room")
            for count in [options.warm_up, *_steps(options.rooms, options.step)]:
                rooms = site.rooms[visited : visited + count]
                if options.same:
                    rooms = [site.rooms[number % options.warm_up] for number in range(count)]
                visited += count
                asyncio.run(
                    visit_all(port, rooms, site.token, writes=not options.read, clients=options.clients)
                )
                time.sleep(CLOSED_AFTER_S)
                samples.append(sample(pid, visited))
                say(_line(samples))
    return samples


def _steps(count: int, step: int) -> Iterator[int]:
    for done in range(0, count, step):
        yield min(step, count - done)


def _line(samples: Sequence[Sample]) -> str:
    warm, now = samples[0], samples[-1]
    sizes = f"{now.rooms:>7}  {now.resident / MIB_IN_KIB:>12.1f}  {now.anonymous / MIB_IN_KIB:>13.1f}"
    if now is warm:
        return sizes
    grown = now.resident - warm.resident
    return f"{sizes}  {grown / warm.resident:>7.1%}  {grown / (now.rooms - warm.rooms):>10.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rooms_memory", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--rooms", type=int, default=10_000, help="rooms after the warm-up (default: 10000)")
    parser.add_argument(
        "--warm-up",
        type=int,
        default=3_000,
        help="rooms before the first line: as many as are open at once later, 10 s after they were left "
        "(default: 3000)",
    )
    parser.add_argument("--step", type=int, default=2_500, help="rooms between two lines (default: 2500)")
    parser.add_argument("--clients", type=int, default=10, help="clients at a time (default: 10)")
    parser.add_argument("--limit", type=float, default=10.0, help="growth that is too much, %% (default: 10)")
    parser.add_argument("--read", action="store_true", help="only read")
    parser.add_argument("--same", action="store_true", help="the rooms of the warm-up again and again")
    parser.add_argument("--production", action="store_true", help="with DEBUG off")
    options = parser.parse_args()
    samples = measure(options)
    growth = 100 * (samples[-1].resident / samples[0].resident - 1)
    say(f"After {options.rooms} rooms the process holds {growth:.1f} % more than when it was warm.")
    return int(growth > options.limit)


if __name__ == "__main__":
    sys.exit(main())
