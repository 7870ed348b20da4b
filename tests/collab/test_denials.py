"""Denied writes in the audit trail: once a burst, behind the connections, bounded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from accounts.models import AuditEntry, Origin, User
from collab import denials
from collab.denials import BURST_S, GROUP, MAX_WAITING, DeniedWrites
from collab.models import Room
from tests.engine.scripted import FakeClock
from tests.factories import make_room, make_user

pytestmark = pytest.mark.django_db(transaction=True)

SOCKET, OTHER_SOCKET = uuid4(), uuid4()


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch) -> None:
    monkeypatch.setattr(denials, "WRITE_DELAY_S", 0.0)
    monkeypatch.setattr(denials, "RETRY_S", 0.0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def denied_writes(clock: FakeClock) -> AsyncIterator[DeniedWrites]:
    """Nothing is written before a test says so."""
    writes = DeniedWrites(clock)
    yield writes
    await asyncio.to_thread(writes.close)


@sync_to_async
def room_with_viewer() -> tuple[Room, User]:
    viewer = make_user()
    viewer.origin = Origin("2001:db8::7", "Firefox")
    return make_room(viewer=viewer), viewer


async def entries() -> list[AuditEntry]:
    return [entry async for entry in AuditEntry.objects.order_by("organization_id", "number")]


async def test_denied_write_is_told_with_who_where_and_from_where(denied_writes: DeniedWrites) -> None:
    room, viewer = await room_with_viewer()
    denied_writes.denied(viewer, room.pk, SOCKET)
    await denied_writes.finish()
    (entry,) = await entries()
    assert (entry.organization_id, entry.action) == (room.organization_id, "write.denied")
    assert (entry.actor_id, entry.room_id, entry.subject_id) == (viewer.pk, room.pk, None)
    assert (entry.address, entry.user_agent) == ("2001:db8::7", "Firefox")
    assert entry.details == {"connection": str(SOCKET), "writes_before": 0}


async def test_burst_is_one_entry_over_however_many_connections(
    denied_writes: DeniedWrites, clock: FakeClock
) -> None:
    room, viewer = await room_with_viewer()
    for number in range(50):
        denied_writes.denied(viewer, room.pk, OTHER_SOCKET if number % 2 else SOCKET)
        clock.now += BURST_S - 1
    await denied_writes.finish()
    assert [entry.number for entry in await entries()] == [1]


async def test_next_burst_is_another_entry_and_tells_how_many_the_last_one_was(
    denied_writes: DeniedWrites, clock: FakeClock
) -> None:
    room, viewer = await room_with_viewer()
    for _ in range(7):
        denied_writes.denied(viewer, room.pk, SOCKET)
    clock.now += BURST_S
    denied_writes.denied(viewer, room.pk, OTHER_SOCKET)
    await denied_writes.finish()
    assert [entry.details for entry in await entries()] == [
        {"connection": str(SOCKET), "writes_before": 0},
        {"connection": str(OTHER_SOCKET), "writes_before": 7},
    ]


async def test_bursts_are_apart_for_each_user_and_room(denied_writes: DeniedWrites) -> None:
    room, viewer = await room_with_viewer()
    other_room, other_viewer = await room_with_viewer()
    for pair in ((room, viewer), (room, other_viewer), (other_room, viewer)):
        denied_writes.denied(pair[1], pair[0].pk, SOCKET)
    await denied_writes.finish()
    told = {(entry.organization_id, entry.room_id, entry.actor_id) for entry in await entries()}
    assert told == {
        (room.organization_id, room.pk, viewer.pk),
        (room.organization_id, room.pk, other_viewer.pk),
        (other_room.organization_id, other_room.pk, viewer.pk),
    }


async def test_bursts_that_are_remembered_are_bounded(denied_writes: DeniedWrites, monkeypatch) -> None:
    monkeypatch.setattr(denials, "MAX_BURSTS", 1)
    room, viewer = await room_with_viewer()
    other_room, other_viewer = await room_with_viewer()
    for pair in ((room, viewer), (other_room, other_viewer), (room, viewer)):
        denied_writes.denied(pair[1], pair[0].pk, SOCKET)
    await denied_writes.finish()
    assert len(await entries()) == 3


async def test_run_writes_what_is_denied_as_it_comes(denied_writes: DeniedWrites) -> None:
    task = asyncio.create_task(denied_writes.run())
    for number in range(1, 3):
        room, viewer = await room_with_viewer()
        denied_writes.denied(viewer, room.pk, SOCKET)
        while await AuditEntry.objects.acount() < number:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait({task})


async def test_room_that_is_gone_is_passed_over(denied_writes: DeniedWrites) -> None:
    room, viewer = await room_with_viewer()
    denied_writes.denied(viewer, uuid4(), SOCKET)
    denied_writes.denied(viewer, room.pk, SOCKET)
    await denied_writes.finish()
    assert [entry.room_id for entry in await entries()] == [room.pk]


async def test_more_than_a_group_is_written_whole(denied_writes: DeniedWrites) -> None:
    room, _ = await room_with_viewer()
    for number in range(GROUP + 1):
        denied_writes.denied(User(pk=UUID(int=number)), room.pk, SOCKET)
    await denied_writes.finish()
    assert [entry.actor_id.int for entry in await entries()] == list(range(GROUP + 1))


async def test_database_that_is_away_is_waited_for(denied_writes: DeniedWrites, monkeypatch, caplog) -> None:
    room, viewer = await room_with_viewer()
    really, tried = denials.record, asyncio.Event()
    loop = asyncio.get_running_loop()

    def fail(*_: object, **__: object) -> None:
        loop.call_soon_threadsafe(tried.set)
        raise OperationalError("away")

    monkeypatch.setattr(denials, "record", fail)
    task = asyncio.create_task(denied_writes.run())
    denied_writes.denied(viewer, room.pk, SOCKET)
    await tried.wait()
    monkeypatch.setattr(denials, "record", really)
    while not await AuditEntry.objects.aexists():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait({task})
    assert len(await entries()) == 1
    assert "away" in caplog.text


async def test_what_waits_is_bounded_and_what_is_lost_is_logged(denied_writes: DeniedWrites, caplog) -> None:
    room, _ = await room_with_viewer()
    for number in range(MAX_WAITING + 3):
        denied_writes.denied(User(pk=UUID(int=number)), room.pk, SOCKET)
    await denied_writes.finish()
    assert await AuditEntry.objects.acount() == MAX_WAITING
    lost = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert len(lost) == 2
    assert lost[-1] == "3 denied writes were lost for the audit trail"
