"""The live engine of a process: made once, told of access changes, and ended without losing anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async

from accounts.signals import access_changed
from collab.engine.connection import Connection
from collab.engine.errors import UnavailableError
from collab.engine.leases import REVOKED
from collab.engine.ports import Grant
from collab.engine.protocol import create_update_message
from collab.engine.reception import receive
from collab.engine.room import LiveRoom
from collab.live import DRAINING, HEAL_S, PEER_HEAL_S, LiveEngine, get_engine, stop_engine
from collab.live_access import Subject
from collab.models import Room, RoomMember, StoredUpdate
from collab.store import DatabaseLog, read_log
from tests.engine.builders import document_of, typed
from tests.engine.scripted import Line
from tests.factories import make_room, make_user

pytestmark = pytest.mark.django_db(transaction=True)


class Member:
    """A connection in a stored room, and the task that drains it."""

    def __init__(self, engine: LiveEngine, user_id: UUID, grant: Grant) -> None:
        self.line = Line()
        self.user_id, self.grant = user_id, grant
        self.connection = Connection(
            self.line,
            engine.limits,
            user_id=user_id,
            can_write=grant.can_write,
            wants_echo=True,
            clock=engine.clock,
        )
        self._drain = asyncio.create_task(self.connection.drain())

    async def closed(self) -> tuple[int, str]:
        """How the connection ended, once it has."""
        await self._drain
        assert self.line.closed is not None
        return self.line.closed


async def join(engine: LiveEngine, room: Room, user_id: UUID) -> tuple[Member, LiveRoom]:
    """Let a member in, as a consumer does."""
    asked_at = engine.clock()
    grant = await engine.access.resolve(Subject(user_id), str(room.pk))
    assert grant is not None
    member = Member(engine, user_id, grant)
    live = await engine.stored.join(str(room.pk), member.connection)
    engine.leases.hold(member.connection, live, Subject(user_id), grant, asked_at=asked_at)
    return member, live


@sync_to_async
def room_with_editor() -> tuple[Room, UUID]:
    editor = make_user()
    return make_room(editor=editor), editor.pk


async def until(is_true: Callable[[], object]) -> None:
    """Threads of the database answer in their own time; the test's timeout ends the waiting."""
    while not is_true():  # noqa: ASYNC110  # many things may make it so
        await asyncio.sleep(0.001)


async def test_engine_of_an_event_loop_is_made_once(engine: LiveEngine) -> None:
    assert get_engine() is engine


async def test_engine_after_it_was_stopped_is_a_new_one() -> None:
    first = get_engine()
    await stop_engine()
    assert get_engine() is not first
    await stop_engine()
    await stop_engine()


async def test_update_is_echoed_when_it_is_in_the_database(engine: LiveEngine) -> None:
    room, editor = await room_with_editor()
    member, live = await join(engine, room, editor)
    frame = create_update_message(typed(7, "hello"))
    await receive(live, member.connection, frame)
    await until(lambda: frame in member.line.frames)
    part = await sync_to_async(read_log)(room.pk, 0)
    assert part is not None
    assert part.updates == [typed(7, "hello")]


async def test_stop_commits_what_was_received_and_sends_everyone_away(engine: LiveEngine) -> None:
    room, editor = await room_with_editor()
    member, live = await join(engine, room, editor)
    for clock in range(50):
        await receive(live, member.connection, create_update_message(typed(7, "x", clock)))
    held = live.document.encode()
    await stop_engine()
    assert await member.closed() == (4205, DRAINING)
    part = await sync_to_async(read_log)(room.pk, 0)
    assert part is not None
    assert document_of(*part.updates).encode() == held


async def test_stop_leaves_a_checkpoint_instead_of_rows(engine: LiveEngine) -> None:
    room, editor = await room_with_editor()
    member, live = await join(engine, room, editor)
    letters = [typed(7, "x", clock) for clock in range(3)]
    for data in letters:
        await receive(live, member.connection, create_update_message(data))
    await stop_engine()
    part = await sync_to_async(read_log)(room.pk, 0)
    assert part is not None
    assert (part.updates, part.rows) == ([document_of(*letters).encode()], 0)
    assert await sync_to_async(StoredUpdate.objects.count)() == 0


async def test_stop_of_an_engine_that_did_nothing_ends_all_its_tasks() -> None:
    before = asyncio.all_tasks()
    get_engine()
    assert asyncio.all_tasks() > before
    await stop_engine()
    assert asyncio.all_tasks() == before


async def test_access_that_is_taken_away_closes_the_connection_without_waiting_for_the_timer(
    engine: LiveEngine,
) -> None:
    room, editor = await room_with_editor()
    member, _ = await join(engine, room, editor)

    def revoke() -> None:
        RoomMember.objects.filter(room=room, user=editor).delete()
        access_changed.send(Room, object_ids=[room.pk])

    await asyncio.sleep(0)  # the engine's first sweep comes before, its next one 5 s later
    started_at = time.monotonic()
    await sync_to_async(revoke)()
    assert await member.closed() == (4403, REVOKED)
    assert time.monotonic() - started_at < engine.leases.sweep_interval_s


async def test_periodic_tasks_go_on_after_a_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("collab.live.HEAL_S", 0.001)
    failures: list[Exception] = [UnavailableError("no answer"), RuntimeError("unexpected")]
    calls: list[None] = []

    async def heads(self: DatabaseLog, rooms: object) -> dict[str, int]:
        calls.append(None)
        if failures:
            raise failures.pop()
        return {}

    room, editor = await room_with_editor()
    engine = get_engine()
    await join(engine, room, editor)
    monkeypatch.setattr(DatabaseLog, "heads", heads)
    await until(lambda: len(calls) > 4)
    await stop_engine()
    assert "goes on" in caplog.text


async def test_rooms_of_both_kinds_with_one_name_do_not_meet(engine: LiveEngine) -> None:
    room, editor = await room_with_editor()
    _, stored = await join(engine, room, editor)
    other = Member(engine, uuid4(), Grant(role="editor", can_write=True, epochs={}))
    unstored = await engine.unstored.join(str(room.pk), other.connection)
    await receive(unstored, other.connection, create_update_message(typed(7, "hello")))
    assert stored.document.is_empty


async def test_clock_of_the_machine_that_is_set_back_changes_nothing(
    engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases, intervals and limits are measured by a clock that nobody can set."""
    room, editor = await room_with_editor()
    member, live = await join(engine, room, editor)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert engine.clock is time.monotonic
    await engine.leases.sweep()
    live_update = create_update_message(typed(7, "after"))
    await receive(live, member.connection, live_update)
    await until(lambda: live_update in member.line.frames)
    assert not member.connection.is_closed


def test_timers_make_good_within_five_seconds_what_a_lost_message_would_have_brought() -> None:
    assert max(HEAL_S, PEER_HEAL_S) < 5
