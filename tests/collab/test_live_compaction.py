"""The live engine, the sandbox and the database together: garbage goes while people write."""

from __future__ import annotations

import asyncio
import time

import pytest
from asgiref.sync import sync_to_async

from collab.engine import positions
from collab.engine.gate import parse_update
from collab.engine.room import LiveRoom
from collab.live import LiveEngine, stop_engine
from collab.models import Room
from collab.sandbox import Sandbox
from collab.store import read_log
from tests.collab.test_live import Member, join, room_with_editor, until
from tests.engine.builders import client, document_of, text, typed, update
from tests.support import sandbox_tasks

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "x" * 10_000
ROWS = [typed(7, LONG), update(client(7, len(LONG), text("y", (7, 0))), deletes={7: [(0, len(LONG))]})]


@pytest.fixture(autouse=True)
def early_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "CHECKPOINT_ROWS", 1)


async def room_with_garbage(engine: LiveEngine) -> tuple[Room, Member, LiveRoom]:
    room, editor = await room_with_editor()
    member, live = await join(engine, room, editor)
    for data in ROWS:
        live.take_in(parse_update(data))
    return room, member, live


async def stored(room: Room) -> list[bytes]:
    part = await sync_to_async(read_log)(room.pk, 0)
    assert part is not None
    return part.updates


async def test_room_with_garbage_is_small_in_memory_and_in_the_database(engine: LiveEngine) -> None:
    room, _, live = await room_with_garbage(engine)
    await until(lambda: len(live.document.encode()) < 100)
    assert await stored(room) == [live.document.encode()]
    live.take_in(parse_update(typed(8, "more")))
    held = live.document.encode()
    await stop_engine()
    assert document_of(*await stored(room)).encode() == held


async def test_stop_does_not_wait_for_the_sandbox_and_keeps_everything(
    engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = asyncio.Event()

    async def hang(self: Sandbox, data: bytes) -> bytes:
        started.set()
        return await self.run(sandbox_tasks.hang, data)

    monkeypatch.setattr(Sandbox, "collect", hang)
    room, _, live = await room_with_garbage(engine)
    await started.wait()
    live.take_in(parse_update(typed(8, "more")))
    started_at = time.monotonic()
    await stop_engine()
    assert time.monotonic() - started_at < 5
    assert await stored(room) == [document_of(*ROWS, typed(8, "more")).encode()]
