"""The log: one suite for the version in memory and the one over the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection, connections, transaction

from collab.engine.errors import UnavailableError
from collab.engine.memory import MemoryLog
from collab.engine.ports import Log, LogPart, NewRow
from collab.models import Checkpoint, Room, RoomHead, StoredUpdate
from collab.store import DatabaseLog, append_rows, read_log, write_checkpoint
from tests.factories import make_room

pytestmark = pytest.mark.django_db(transaction=True)

ON_POSTGRES = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")

NewRoom = Callable[[], Awaitable[str]]


@pytest.fixture(params=["memory", "database"])
async def kit(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Log, NewRoom]]:
    """A log, and how a room gets into it."""
    if request.param == "memory":
        memory = MemoryLog()

        async def add_room() -> str:
            name = str(uuid4())
            memory.add_room(name)
            return name

        yield memory, add_room
        return
    database = DatabaseLog()

    async def make() -> str:
        return str((await sync_to_async(make_room)()).pk)

    yield database, make
    await asyncio.to_thread(database.close)


def rows(room: str, *data: bytes) -> list[NewRow]:
    return [NewRow(room, update) for update in data]


async def test_rows_are_numbered_from_one_without_holes(kit: tuple[Log, NewRoom]) -> None:
    log, new_room = kit
    room = await new_room()
    assert await log.append(rows(room, b"a", b"b")) == [1, 2]
    assert await log.append(rows(room, b"c")) == [3]


async def test_rows_of_several_rooms_in_one_batch_are_numbered_each_on_its_own(
    kit: tuple[Log, NewRoom],
) -> None:
    log, new_room = kit
    one, two = await new_room(), await new_room()
    batch = [*rows(one, b"a"), *rows(two, b"b"), *rows(one, b"c")]
    assert await log.append(batch) == [1, 1, 2]


async def test_row_of_a_room_that_is_gone_has_no_number_and_stops_no_other(kit: tuple[Log, NewRoom]) -> None:
    log, new_room = kit
    room = await new_room()
    assert await log.append([*rows(str(uuid4()), b"lost"), *rows(room, b"kept")]) == [None, 1]
    assert await log.append(rows("no id at all", b"lost")) == [None]


async def test_two_writers_at_once_leave_no_hole_and_no_number_twice(kit: tuple[Log, NewRoom]) -> None:
    log, new_room = kit
    one, two = await new_room(), await new_room()
    batches = [
        [*rows(one, b"x"), *rows(two, b"y")] if number % 2 else [*rows(two, b"y"), *rows(one, b"x")]
        for number in range(20)
    ]
    numbered = await asyncio.gather(*(log.append(batch) for batch in batches))
    assert sorted(seq for seqs in numbered for seq in seqs if seq) == sorted([*range(1, 21)] * 2)


async def test_reader_of_everything_gets_the_rows_in_order(kit: tuple[Log, NewRoom]) -> None:
    log, new_room = kit
    room = await new_room()
    await log.append(rows(room, b"a", b"b", b"c"))
    assert await log.read(room, 0) == LogPart(3, [b"a", b"b", b"c"], 3)


async def test_reader_who_knows_some_gets_the_rest(kit: tuple[Log, NewRoom]) -> None:
    log, new_room = kit
    room = await new_room()
    await log.append(rows(room, b"a", b"b", b"c"))
    assert await log.read(room, 2) == LogPart(3, [b"c"], 1)
    assert await log.read(room, 3) == LogPart(3, [], 0)


async def test_empty_room_reads_as_nothing_at_zero(kit: tuple[Log, NewRoom]) -> None:
    log, new_room = kit
    assert await log.read(await new_room(), 0) == LogPart(0, [], 0)


async def test_room_that_does_not_exist_reads_as_none(kit: tuple[Log, NewRoom]) -> None:
    log, _ = kit
    assert await log.read(str(uuid4()), 0) is None
    assert await log.read("no id at all", 0) is None


async def test_checkpoint_takes_the_place_of_the_rows_it_covers(kit: tuple[Log, NewRoom]) -> None:
    log, new_room = kit
    room = await new_room()
    await log.append(rows(room, b"a", b"b", b"c"))
    await log.checkpoint(room, 2, b"ab", b"sv")
    assert await log.read(room, 0) == LogPart(3, [b"ab", b"c"], 1)


async def test_reader_behind_the_checkpoint_gets_the_checkpoint(kit: tuple[Log, NewRoom]) -> None:
    log, new_room = kit
    room = await new_room()
    await log.append(rows(room, b"a", b"b", b"c"))
    await log.checkpoint(room, 3, b"abc", b"sv")
    assert await log.read(room, 1) == LogPart(3, [b"abc"], 0)


async def test_reader_ahead_of_the_checkpoint_is_not_given_it(kit: tuple[Log, NewRoom]) -> None:
    log, new_room = kit
    room = await new_room()
    await log.append(rows(room, b"a", b"b", b"c"))
    await log.checkpoint(room, 1, b"a", b"sv")
    assert await log.read(room, 2) == LogPart(3, [b"c"], 1)


async def test_checkpoint_never_goes_back(kit: tuple[Log, NewRoom]) -> None:
    log, new_room = kit
    room = await new_room()
    await log.append(rows(room, b"a", b"b", b"c"))
    await log.checkpoint(room, 3, b"abc", b"sv")
    await log.checkpoint(room, 2, b"ab", b"sv")
    assert await log.read(room, 0) == LogPart(3, [b"abc"], 0)


async def test_rows_go_on_counting_after_a_checkpoint(kit: tuple[Log, NewRoom]) -> None:
    log, new_room = kit
    room = await new_room()
    await log.append(rows(room, b"a"))
    await log.checkpoint(room, 1, b"a", b"sv")
    assert await log.append(rows(room, b"b")) == [2]


async def test_checkpoint_of_a_room_that_is_gone_is_not_written(kit: tuple[Log, NewRoom]) -> None:
    log, _ = kit
    room = str(uuid4())
    await log.checkpoint(room, 1, b"a", b"sv")
    assert await log.read(room, 0) is None


async def test_heads_tell_the_last_number_and_leave_out_what_is_gone(kit: tuple[Log, NewRoom]) -> None:
    log, new_room = kit
    one, two = await new_room(), await new_room()
    await log.append(rows(one, b"a", b"b"))
    assert await log.heads([one, two, str(uuid4())]) == {one: 2, two: 0}


async def test_heads_of_more_rooms_than_one_query_takes_are_all_told(kit: tuple[Log, NewRoom]) -> None:
    log, new_room = kit
    room = await new_room()
    assert await log.heads([*(str(uuid4()) for _ in range(70_000)), room]) == {room: 0}


# -- only the database


@pytest.fixture
async def database_log() -> AsyncIterator[DatabaseLog]:
    log = DatabaseLog()
    yield log
    await asyncio.to_thread(log.close)


@pytest.fixture
async def other_log() -> AsyncIterator[DatabaseLog]:
    """That of another process."""
    log = DatabaseLog()
    yield log
    await asyncio.to_thread(log.close)


async def test_row_keeps_its_author_and_time(database_log: DatabaseLog) -> None:
    room = await sync_to_async(make_room)()
    author = uuid4()
    await database_log.append([NewRow(str(room.pk), b"a", author)])
    row = await StoredUpdate.objects.aget(room=room)
    assert row.author_id == author
    assert row.created_at is not None


async def test_rows_of_a_failed_commit_are_all_absent(
    database_log: DatabaseLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise DatabaseError("disk full")

    room = await sync_to_async(make_room)()
    with monkeypatch.context() as patch:
        patch.setattr("collab.store.update_rows", fail)
        with pytest.raises(UnavailableError):
            await database_log.append(rows(str(room.pk), b"a"))
    assert not await StoredUpdate.objects.filter(room=room).aexists()
    assert await database_log.append(rows(str(room.pk), b"b")) == [1]


async def test_checkpoint_ahead_of_the_last_number_is_not_written(database_log: DatabaseLog) -> None:
    """A process that outlived a restore may try: the next rows would be numbered below it, and never read."""
    room = str((await sync_to_async(make_room)()).pk)
    await database_log.append(rows(room, b"a"))
    await database_log.checkpoint(room, 2, b"ab", b"sv")
    assert await database_log.read(room, 0) == LogPart(1, [b"a"], 1)
    assert not await Checkpoint.objects.aexists()


async def test_log_with_a_hole_is_refused_instead_of_read_around(database_log: DatabaseLog) -> None:
    room = await sync_to_async(make_room)()
    await database_log.append(rows(str(room.pk), b"a", b"b", b"c"))
    await StoredUpdate.objects.filter(room=room, seq=2).adelete()
    with pytest.raises(UnavailableError, match="hole"):
        await database_log.read(str(room.pk), 0)


def test_deleted_room_takes_its_log_with_it() -> None:
    room = make_room()
    StoredUpdate.objects.create(room=room, seq=1, data=b"a")
    Checkpoint.objects.create(room=room, seq=1, data=b"a", state_vector=b"")
    Room.objects.filter(pk=room.pk).delete()
    assert read_log(room.pk, 0) is None
    assert not StoredUpdate.objects.exists()
    assert not Checkpoint.objects.exists()


# -- checkpoints beside everything else


async def test_two_processes_that_append_and_leave_checkpoints_at_once_lose_nothing(
    database_log: DatabaseLog, other_log: DatabaseLog
) -> None:
    rooms = [str((await sync_to_async(make_room)()).pk) for _ in range(2)]
    logs = {"a": database_log, "b": other_log}

    async def write(name: str) -> None:
        for number in range(15):
            word = f"{name}{number} ".encode()
            await logs[name].append([*rows(rooms[0], word), *rows(rooms[1], word)])

    async def leave_checkpoints(name: str, room: str) -> None:
        for _ in range(15):
            part = await logs[name].read(room, 0)
            assert part is not None
            await logs[name].checkpoint(room, part.seq, b"".join(part.updates), b"sv")

    await asyncio.gather(
        *map(write, logs), *(leave_checkpoints(name, room) for name in logs for room in rooms)
    )
    written = sorted(f"{name}{number}".encode() for name in logs for number in range(15))
    for room in rooms:
        part = await database_log.read(room, 0)
        assert part is not None
        assert (part.seq, sorted(b"".join(part.updates).split())) == (30, written)


async def test_of_two_checkpoints_at_once_the_later_one_stays(
    database_log: DatabaseLog, other_log: DatabaseLog
) -> None:
    for _ in range(10):
        room = str((await sync_to_async(make_room)()).pk)
        await database_log.append(rows(room, b"a", b"b", b"c"))
        await asyncio.gather(
            database_log.checkpoint(room, 3, b"abc", b"sv"), other_log.checkpoint(room, 2, b"ab", b"sv")
        )
        assert await database_log.read(room, 0) == LogPart(3, [b"abc"], 0)


@contextmanager
def in_open_transaction(function: Callable[[], object]) -> Iterator[None]:
    """Have a connection of its own inside a transaction, after the call, until the end of the block."""
    is_under_way, may_end = Event(), Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                function()
                is_under_way.set()
                assert may_end.wait(30), "somebody waits for this transaction"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as executor:
        held = executor.submit(hold)
        is_under_way.wait(30)
        try:
            yield
        finally:
            may_end.set()
        held.result()


def wait_until_one_waits_for_a_lock() -> None:
    with connection.cursor() as cursor:
        for _ in range(1000):
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
            if cursor.fetchone():
                return
            cursor.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("nobody waits for a lock")


@ON_POSTGRES
async def test_commit_does_not_wait_for_a_checkpoint_of_the_same_room(database_log: DatabaseLog) -> None:
    room = await sync_to_async(make_room)()
    await database_log.append(rows(str(room.pk), b"a"))
    with in_open_transaction(partial(write_checkpoint, room.pk, 1, b"a", b"sv")):
        assert await database_log.append(rows(str(room.pk), b"b")) == [2]
    assert await database_log.read(str(room.pk), 0) == LogPart(2, [b"a", b"b"], 1)


@ON_POSTGRES
async def test_checkpoint_does_not_wait_for_a_commit_of_the_same_room(database_log: DatabaseLog) -> None:
    room = await sync_to_async(make_room)()
    await database_log.append(rows(str(room.pk), b"a"))
    with in_open_transaction(partial(append_rows, rows(str(room.pk), b"b"))):
        await database_log.checkpoint(str(room.pk), 1, b"A", b"sv")
        assert await database_log.read(str(room.pk), 0) == LogPart(1, [b"A"], 0)
    assert await database_log.read(str(room.pk), 0) == LogPart(2, [b"A", b"b"], 1)


@ON_POSTGRES
@pytest.mark.parametrize("is_deleted", [False, True], ids=["repair", "deletion"])
async def test_checkpoint_waits_for_whoever_repairs_or_deletes_the_room(
    database_log: DatabaseLog, *, is_deleted: bool
) -> None:
    room = await sync_to_async(make_room)()
    await database_log.append(rows(str(room.pk), b"a"))

    def lock() -> None:
        RoomHead.objects.select_for_update().get(pk=room.pk)
        if is_deleted:
            Room.objects.filter(pk=room.pk).delete()

    with in_open_transaction(lock):
        checkpoint = asyncio.create_task(database_log.checkpoint(str(room.pk), 1, b"A", b"sv"))
        await sync_to_async(wait_until_one_waits_for_a_lock)()
        assert not checkpoint.done()
    await checkpoint
    assert await Checkpoint.objects.filter(room=room.pk).aexists() is not is_deleted
