"""Rooms that a log keeps: committed before it is acknowledged, published after, and nothing missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from uuid import UUID

import pytest

from collab.engine import logged as logged_module
from collab.engine import positions
from collab.engine.document import Document
from collab.engine.errors import ForbiddenError, UnavailableError
from collab.engine.gate import parse_update
from collab.engine.limits import Limits
from collab.engine.logged import LoggedReplication
from collab.engine.memory import MemoryLog
from collab.engine.pending import ROW_BYTES
from collab.engine.ports import CommittedRows, LogPart, NewRow, RelayMessage
from collab.engine.protocol import create_update_message
from collab.engine.reception import receive
from collab.engine.room import LiveRoom
from tests.engine.builders import document_of, typed
from tests.engine.scripted import Client, FakeClock, turns, until

LIMITS = Limits(commit_interval_ms=0)


class GatedLog(MemoryLog):
    """A log that fails as often as the test says, or after it has committed."""

    def __init__(self, *rooms: str) -> None:
        super().__init__(rooms)
        self.appends: list[list[bytes]] = []
        self.reads = 0
        self.failures: list[Exception] = []
        self.failures_after_commit: list[Exception] = []
        self.read_failures: list[Exception] = []
        self.appending = asyncio.Event()
        self.appending.set()

    async def append(self, rows: Sequence[NewRow]) -> list[int | None]:
        self.appends.append([row.data for row in rows])
        await self.appending.wait()
        if self.failures:
            raise self.failures.pop()
        seqs = await super().append(rows)
        if self.failures_after_commit:
            raise self.failures_after_commit.pop()
        return seqs

    async def read(self, room: str, after: int) -> LogPart | None:
        self.reads += 1
        if self.read_failures:
            raise self.read_failures.pop()
        return await super().read(room, after)

    def rows_read_anew(self) -> int:
        reads, self.reads = self.reads, 0
        return reads


class Scene:
    """One process with a few rooms over a log."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.log = GatedLog("room", "other")
        self.published: list[RelayMessage] = []
        self.replication = LoggedReplication(self.log, self.published.append, LIMITS)
        self.clients: list[Client] = []
        self._writer = asyncio.create_task(self.replication.write())

    async def open(self, name: str = "room") -> LiveRoom:
        room = self.make(name)
        await self.replication.open(room)
        self.log.reads = 0
        return room

    def make(self, name: str = "room") -> LiveRoom:
        return LiveRoom(name, self.replication, self.published.append, LIMITS, self.clock)

    def join(self, room: LiveRoom, **options: Any) -> Client:
        client = Client(self.clock, LIMITS, **options)
        self.clients.append(client)
        room.join(client.connection)
        return client

    async def elsewhere(self, *updates: bytes, room: str = "room") -> list[CommittedRows]:
        """Commit in another process; the news it publishes, one for each."""
        seqs = await MemoryLog.append(self.log, [NewRow(room, data) for data in updates])
        pairs = zip(seqs, updates, strict=True)
        return [CommittedRows(room, seq, ((seq, data),)) for seq, data in pairs if seq is not None]

    async def logged(self, room: str = "room") -> bytes:
        """What the log says, as one update."""
        part = await MemoryLog.read(self.log, room, 0)
        assert part is not None
        return document_of(*part.updates).encode()

    async def end(self) -> None:
        for client in self.clients:
            await client.end()
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        await turns()


@pytest.fixture
async def scene(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(logged_module, "RETRY_S", (0.0,))
    monkeypatch.setattr(logged_module, "GAP_PATIENCE_S", 0.0)
    scene = Scene(clock)
    yield scene
    await scene.end()


def echo_of(update: bytes) -> bytes:
    return create_update_message(update)


HELLO, THERE, YOU = typed(7, "hello"), typed(7, "there", 5), typed(7, "you", 10)


# -- writing


async def test_update_is_acknowledged_and_published_only_after_the_commit(scene: Scene) -> None:
    room = await scene.open()
    author = scene.join(room, wants_echo=True)
    scene.log.appending.clear()
    await receive(room, author.connection, echo_of(HELLO))
    await until(lambda: scene.log.appends)
    await turns()
    assert echo_of(HELLO) not in author.frames
    assert scene.published == []
    assert not scene.replication.is_settled(room)
    scene.log.appending.set()
    await scene.replication.drain()
    await turns()
    assert author.frames.count(echo_of(HELLO)) == 1
    assert scene.published == [CommittedRows("room", 1, ((1, HELLO),))]
    assert scene.replication.is_settled(room)


@pytest.mark.parametrize("error", [UnavailableError("no answer"), RuntimeError("unexpected")])
async def test_commit_that_fails_is_tried_again_and_acknowledged_once(scene: Scene, error: Exception) -> None:
    room = await scene.open()
    author = scene.join(room, wants_echo=True)
    scene.log.failures = [error] * 5
    await receive(room, author.connection, echo_of(HELLO))
    await scene.replication.drain()
    await turns()
    assert len(scene.log.appends) == 6
    assert author.frames.count(echo_of(HELLO)) == 1
    part = await scene.log.read("room", 0)
    assert part == LogPart(1, [HELLO], 1)


async def test_commit_whose_answer_was_lost_is_stored_twice_and_acknowledged_once(scene: Scene) -> None:
    room = await scene.open()
    author = scene.join(room, wants_echo=True)
    scene.log.failures_after_commit = [UnavailableError("The line broke.")]
    await receive(room, author.connection, echo_of(HELLO))
    await scene.replication.drain()
    await turns()
    assert author.frames.count(echo_of(HELLO)) == 1
    part = await scene.log.read("room", 0)
    assert part is not None
    assert document_of(*part.updates).encode() == HELLO
    await scene.replication.heal([room])
    await until(lambda: scene.log.reads)  # it has not seen the first of the two rows


async def test_updates_keep_their_order_when_commits_fail_between_them(scene: Scene) -> None:
    room = await scene.open()
    author = scene.join(room, wants_echo=True)
    for number, data in enumerate((HELLO, THERE, YOU)):
        scene.log.failures = [UnavailableError("no answer")] * number
        await receive(room, author.connection, echo_of(data))
        await turns(number)
    await scene.replication.drain()
    assert await scene.logged() == document_of(HELLO, THERE, YOU).encode()
    await turns()
    echoes = [frame for frame in author.frames if frame in map(echo_of, (HELLO, THERE, YOU))]
    assert echoes == [echo_of(HELLO), echo_of(THERE), echo_of(YOU)]


async def test_updates_of_all_rooms_are_committed_together(scene: Scene) -> None:
    rooms = [await scene.open(), await scene.open("other")]
    for room in rooms:
        room.take_in(parse_update(HELLO))
    await scene.replication.drain()
    assert scene.log.appends == [[HELLO, HELLO]]
    assert [message.room for message in scene.published] == ["room", "other"]


@pytest.fixture
def rows(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[NewRow]:
    """All that are committed."""
    rows: list[NewRow] = []

    async def append(new: Sequence[NewRow]) -> list[int | None]:
        seqs = await GatedLog.append(scene.log, new)
        rows.extend(new)
        return seqs

    monkeypatch.setattr(scene.log, "append", append)
    return rows


async def test_what_one_author_writes_before_a_commit_begins_is_one_row(
    scene: Scene, rows: list[NewRow]
) -> None:
    room = await scene.open()
    ada, bob = (scene.join(room, user_id=UUID(int=number)) for number in (1, 2))
    updates = [typed(7, "he"), typed(9, "or"), typed(7, "llo", 2), typed(3, "server"), typed(9, "not", 2)]
    for author, data in zip((ada, bob, ada, None, bob), updates, strict=True):
        if author is None:
            room.take_in(parse_update(data))
        else:
            await receive(room, author.connection, echo_of(data))
    await scene.replication.drain()
    assert rows == [
        NewRow("room", document_of(updates[0], updates[2]).encode(), UUID(int=1)),
        NewRow("room", document_of(updates[1], updates[4]).encode(), UUID(int=2)),
        NewRow("room", updates[3], None),
    ]
    assert scene.published == [
        CommittedRows("room", 3, tuple((n + 1, row.data) for n, row in enumerate(rows)))
    ]


async def test_what_comes_during_a_commit_waits_for_the_next(
    scene: Scene, rows: list[NewRow], caplog: pytest.LogCaptureFixture
) -> None:
    room = await scene.open()
    author = scene.join(room, wants_echo=True)
    scene.log.appending.clear()
    scene.log.failures = [UnavailableError("no answer")]
    await receive(room, author.connection, echo_of(HELLO))
    await until(lambda: scene.log.appends)
    await receive(room, author.connection, echo_of(THERE))
    await receive(room, author.connection, echo_of(YOU))
    scene.log.appending.set()
    await scene.replication.drain()
    await turns()
    assert [row.data for row in rows] == [HELLO, document_of(THERE, YOU).encode()]
    assert "3 updates wait for the store" in caplog.text
    echoes = [frame for frame in author.frames if frame in map(echo_of, (HELLO, THERE, YOU))]
    assert echoes == [echo_of(HELLO), echo_of(THERE), echo_of(YOU)]


async def test_row_that_would_get_too_long_is_followed_by_another(
    scene: Scene, rows: list[NewRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.engine.joined.MAX_JOINED_PARTS", 2)
    room = await scene.open()
    letters = [typed(7, "x", clock) for clock in range(5)]
    for data in letters:
        room.take_in(parse_update(data))
    await scene.replication.drain()
    pairs = [document_of(*letters[0:2]).encode(), document_of(*letters[2:4]).encode()]
    assert [row.data for row in rows] == [*pairs, letters[4]]


async def test_writes_beyond_what_may_wait_for_the_store_are_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await scene.open()
    scene.log.appending.clear()
    room.take_in(parse_update(HELLO))
    await until(lambda: scene.log.appends)
    room.take_in(parse_update(THERE))
    monkeypatch.setattr(logged_module, "MAX_PENDING_BYTES", 2 * ROW_BYTES)
    with pytest.raises(UnavailableError):
        room.take_in(parse_update(YOU))
    assert not room.document.contains(parse_update(YOU))
    scene.log.appending.set()
    await scene.replication.drain()
    room.take_in(parse_update(YOU))


async def test_room_that_is_gone_is_closed_when_it_is_written_to(scene: Scene) -> None:
    room, other = await scene.open(), await scene.open("other")
    author = scene.join(room, wants_echo=True)
    scene.log.remove_room("room")
    await receive(room, author.connection, echo_of(HELLO))
    other.take_in(parse_update(HELLO))
    await until(lambda: author.line.closed)
    assert author.line.closed is not None
    assert author.line.closed[0] == 4403
    assert echo_of(HELLO) not in author.frames
    assert [message.room for message in scene.published] == ["other"]


async def test_rows_too_long_to_send_along_are_published_as_a_number(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logged_module, "MAX_PUBLISHED_BYTES", 30)
    room = await scene.open()
    room.take_in(parse_update(typed(7, "x" * 40)))
    await scene.replication.drain()
    assert scene.published == [CommittedRows("room", 1, ())]


# -- opening


async def test_open_loads_the_checkpoint_and_the_rows_after_it(scene: Scene) -> None:
    await scene.elsewhere(HELLO, THERE, YOU)
    await scene.log.checkpoint("room", 2, document_of(HELLO, THERE).encode(), b"\x01\x07\x0a")
    room = await scene.open()
    assert room.document.encode() == document_of(HELLO, THERE, YOU).encode()


async def test_open_of_a_room_that_does_not_exist_is_refused(scene: Scene) -> None:
    with pytest.raises(ForbiddenError):
        await scene.open("unknown")


async def test_open_that_fails_leaves_nothing_behind(scene: Scene) -> None:
    scene.log.read_failures = [UnavailableError("no answer")]
    room = scene.make()
    with pytest.raises(UnavailableError):
        await scene.replication.open(room)
    await scene.replication.heal([room])
    await turns()
    assert scene.log.reads == 1
    await scene.replication.open(room)


async def test_open_of_a_damaged_log_is_unavailable_and_no_fault_of_the_client(scene: Scene) -> None:
    await MemoryLog.append(scene.log, [NewRow("room", b"no update")])
    with pytest.raises(UnavailableError, match="damaged"):
        await scene.replication.open(scene.make())


async def test_rows_that_are_published_while_the_room_is_read_are_not_missed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay is heard before the log is read: what comes between the two is in both, or in one."""
    await scene.elsewhere(HELLO)
    old = await MemoryLog.read(scene.log, "room", 0)
    room = scene.make()

    async def read_slowly(name: str, after: int) -> LogPart | None:
        scene.log.reads += 1
        if scene.log.reads > 1:
            return await MemoryLog.read(scene.log, name, after)
        await scene.elsewhere(THERE)
        [news] = await scene.elsewhere(YOU)
        scene.replication.received(room, news)  # the news of THERE was lost
        return old

    monkeypatch.setattr(scene.log, "read", read_slowly)
    await scene.replication.open(room)
    await until(lambda: room.document.contains(parse_update(THERE)))
    assert room.document.encode() == document_of(HELLO, THERE, YOU).encode()


# -- following


async def test_news_in_order_is_taken_in_without_reading_the_log(scene: Scene) -> None:
    room = await scene.open()
    reader = scene.join(room)
    for news in await scene.elsewhere(HELLO, THERE):
        scene.replication.received(room, news)
        await turns()
    assert reader.frames[1:] == [echo_of(HELLO), echo_of(THERE)]
    assert scene.log.reads == 0


async def test_news_that_comes_twice_is_taken_in_once(scene: Scene) -> None:
    room = await scene.open()
    reader = scene.join(room)
    news = await scene.elsewhere(HELLO, THERE)
    for one in (*news, *news, *reversed(news)):
        scene.replication.received(room, one)
        await turns()
    assert reader.frames[1:] == [echo_of(HELLO), echo_of(THERE)]
    assert scene.log.reads == 0


async def test_news_that_shows_a_gap_reads_what_is_missing(scene: Scene) -> None:
    room = await scene.open()
    _, _, third = await scene.elsewhere(HELLO, THERE, YOU)
    scene.replication.received(room, third)
    await until(lambda: room.document.contains(parse_update(HELLO)))
    assert room.document.encode() == document_of(HELLO, THERE, YOU).encode()
    assert scene.log.reads == 1


async def test_news_in_the_wrong_order_waits_a_moment_and_does_not_read(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logged_module, "GAP_PATIENCE_S", 0.001)
    room = await scene.open()
    first, second = await scene.elsewhere(HELLO, THERE)
    scene.replication.received(room, second)
    scene.replication.received(room, first)
    await asyncio.sleep(0.005)
    assert scene.log.reads == 0
    assert room.document.encode() == document_of(HELLO, THERE).encode()


async def test_news_without_rows_reads_them(scene: Scene) -> None:
    room = await scene.open()
    await scene.elsewhere(HELLO)
    scene.replication.received(room, CommittedRows("room", 1, ()))
    await until(lambda: not room.document.is_empty)
    scene.replication.received(room, CommittedRows("room", 1, ()))
    await turns()
    assert scene.log.reads == 1


async def test_own_row_behind_one_of_another_process_reads_that_one(scene: Scene) -> None:
    room = await scene.open()
    await scene.elsewhere(typed(8, "unheard"))
    room.take_in(parse_update(HELLO))
    await until(lambda: room.document.contains(parse_update(typed(8, "unheard"))))
    assert scene.log.reads == 1


async def test_lost_news_is_found_by_healing(scene: Scene) -> None:
    room, other = await scene.open(), await scene.open("other")
    await scene.elsewhere(HELLO)
    await scene.replication.heal([room, other])
    await until(lambda: not room.document.is_empty)
    assert scene.log.reads == 1


async def test_healing_of_a_room_that_is_gone_closes_it(scene: Scene) -> None:
    room = await scene.open()
    reader = scene.join(room)
    scene.log.remove_room("room")
    await scene.replication.heal([room])
    await until(lambda: reader.line.closed)
    assert reader.line.closed is not None
    assert reader.line.closed[0] == 4403


async def test_reading_that_fails_is_made_good_by_the_next_healing(scene: Scene) -> None:
    room = await scene.open()
    await scene.elsewhere(HELLO)
    scene.log.read_failures = [UnavailableError("no answer")]
    await scene.replication.heal([room])
    await until(lambda: not scene.log.read_failures)
    await turns()
    assert room.document.is_empty
    await scene.replication.heal([room])
    await until(lambda: not room.document.is_empty)


async def test_row_of_a_room_object_that_was_closed_is_read_by_the_one_that_is_open(scene: Scene) -> None:
    """Both wrote in one commit: the open one has its own row, and must not take the other for seen."""
    closed = scene.make()
    closed.is_closed = True
    room = await scene.open()
    closed.take_in(parse_update(typed(8, "late")))
    room.take_in(parse_update(HELLO))
    await scene.replication.drain()
    await until(lambda: room.document.contains(parse_update(typed(8, "late"))))


# -- checkpoints


async def test_many_rows_become_a_checkpoint(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "CHECKPOINT_ROWS", 10)
    room = await scene.open()
    for clock in range(25):
        room.take_in(parse_update(typed(7, "x", clock)))
        await scene.replication.drain()
    await turns()
    part = await scene.log.read("room", 0)
    assert part is not None
    assert (part.seq, part.rows) == (25, 5)
    assert document_of(*part.updates).encode() == room.document.encode()


async def test_checkpoint_holds_only_rows_that_were_seen(scene: Scene) -> None:
    """Rows of others that this process has not heard of stay rows."""
    room = await scene.open()
    room.take_in(parse_update(HELLO))
    await scene.replication.drain()
    await scene.elsewhere(typed(8, "unheard"))
    await scene.replication.close(room)
    part = await scene.log.read("room", 0)
    assert part == LogPart(2, [HELLO, typed(8, "unheard")], 1)


async def test_room_that_is_loaded_from_any_log_equals_the_one_that_wrote_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "CHECKPOINT_ROWS", 3)
    room = await scene.open()
    for clock in range(20):
        room.take_in(parse_update(typed(7, "x", clock ^ 1)))  # two by two in the wrong order
        if clock % 2:
            await scene.replication.drain()
        part = await scene.log.read("room", 0)
        assert part is not None
        stored = document_of(*part.updates)
        if scene.replication.is_settled(room):
            assert stored.encode() == room.document.encode()
    await turns()


def same(document: Document, *updates: bytes) -> Callable[[], bool]:
    expected = document_of(*updates).encode()
    return lambda: document.encode() == expected


async def test_two_processes_over_one_log_end_equal(scene: Scene, clock: FakeClock) -> None:
    second = LoggedReplication(scene.log, lambda message: None, LIMITS)
    writer = asyncio.create_task(second.write())
    here = await scene.open()
    there = LiveRoom("room", second, lambda message: None, LIMITS, clock)
    await second.open(there)
    here.take_in(parse_update(HELLO))
    there.take_in(parse_update(typed(8, "x")))
    await asyncio.gather(scene.replication.drain(), second.drain())
    await asyncio.gather(scene.replication.heal([here]), second.heal([there]))
    await until(same(here.document, HELLO, typed(8, "x")))
    await until(same(there.document, HELLO, typed(8, "x")))
    writer.cancel()
    await asyncio.gather(writer, return_exceptions=True)


async def test_writer_goes_on_when_news_of_a_commit_can_not_be_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("a bug in who wanted to know")

    room = await scene.open()
    scene.replication.record(room, parse_update(typed(1, "a")), None, fail)
    await scene.replication.drain()
    saved: list[bool] = []
    scene.replication.record(room, parse_update(typed(1, "b", 1)), None, lambda: saved.append(True))
    await until(lambda: saved)
    assert "could not be told" in caplog.text
