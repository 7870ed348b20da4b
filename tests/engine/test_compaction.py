"""Compaction: what a compactor says is believed only where it can be checked, and nothing waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from collab import collector
from collab.engine import checkpoints, compaction, positions
from collab.engine.document import Document
from collab.engine.errors import CompactionBusyError, CompactionError, UnavailableError
from collab.engine.gate import SHORT_BYTES, parse_update
from collab.engine.limits import Limits
from collab.engine.logged import LoggedReplication
from collab.engine.memory import MemoryLog
from collab.engine.ports import NewRow, RelayMessage
from collab.engine.protocol import (
    SyncStep2,
    create_sync_step_1_message,
    create_update_message,
    decode_message,
)
from collab.engine.reception import receive
from collab.engine.room import LiveRoom
from tests.engine.builders import client, document_of, gc, skip, text, typed, update, values
from tests.engine.scripted import Client, FakeClock, turns, until

LIMITS = Limits(commit_interval_ms=0)
LONG = "x" * 10_000
#: Typed and deleted again, up to one letter.
RAW = [typed(7, LONG), update(client(7, len(LONG), text("y", (7, 0))), deletes={7: [(0, len(LONG))]})]
COLLECTED = collector.collect(document_of(*RAW).encode())
NEWS = typed(8, "meanwhile")


class ScriptedCompactor:
    """A compactor whose answer the test decides, and when it comes."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.answer: Callable[[bytes], bytes] = collector.collect
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def collect(self, update: bytes) -> bytes:
        self.asked.append(update)
        await self.may_answer.wait()
        return self.answer(update)


class Scene:
    """One process with a room over a log, and a compactor."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.log = MemoryLog(["room"])
        self.compactor = ScriptedCompactor()
        self.published: list[RelayMessage] = []
        self.replication = LoggedReplication(
            self.log, self.published.append, LIMITS, compactor=self.compactor
        )
        self.clients: list[Client] = []
        self._writer = asyncio.create_task(self.replication.write())

    async def open(self) -> LiveRoom:
        room = LiveRoom("room", self.replication, self.published.append, LIMITS, self.clock)
        await self.replication.open(room)
        return room

    async def write(self, room: LiveRoom, *updates: bytes) -> None:
        """Each becomes a row of its own."""
        for data in updates:
            room.take_in(parse_update(data))
            await self.replication.drain()

    async def close(self, room: LiveRoom) -> None:
        room.end()
        await self.replication.close(room)

    async def stored(self) -> list[bytes]:
        part = await self.log.read("room", 0)
        assert part is not None
        return part.updates

    def join(self, room: LiveRoom, *, is_reading: bool = True) -> Client:
        joined = Client(self.clock, LIMITS, is_reading=is_reading)
        self.clients.append(joined)
        room.join(joined.connection)
        return joined

    async def end(self) -> None:
        self.compactor.may_answer.set()
        for joined in self.clients:
            await joined.end()
        await self.replication.finish()
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(positions, "CHECKPOINT_ROWS", 2)
    scene = Scene()
    yield scene
    await scene.end()


def says_the_same(one: Document, other: Document) -> bool:
    return one.state_vector() == other.state_vector() and one.encoded_deletes() == other.encoded_deletes()


# -- what a compactor answers


async def test_checkpoint_and_room_go_on_with_the_collected_document(scene: Scene) -> None:
    room = await scene.open()
    await scene.write(room, *RAW)
    await scene.replication.finish()
    assert await scene.stored() == [COLLECTED]
    assert room.document.encode() == COLLECTED
    assert len(COLLECTED) < 40
    assert room.document.size_bytes == document_of(COLLECTED).size_bytes


def fail(message: str) -> Callable[[bytes], bytes]:
    def answer(update: bytes) -> bytes:
        raise CompactionError(message)

    return answer


def crash(update: bytes) -> bytes:
    raise RuntimeError("unexpected")


REFUSED = {
    "an error": fail("It was the end of the worker."),
    "an unexpected error": crash,
    "not an update": lambda _: b"\xff\xff",
    "another document": lambda _: typed(7, "x"),
    "less of the document": lambda _: typed(7, "y", 10_000),
    "more than the document": lambda _: document_of(COLLECTED, typed(9, "z")).encode(),
    "a gap": lambda _: update(client(7, 0, gc(5), skip(5), gc(9_991)), deletes={7: [(0, 10_000)]}),
    "no deletions": lambda _: update(client(7, 0, gc(10_001))),
    "content that must not be encoded again": lambda _: update(
        client(7, 0, gc(10_000), values(b"\x7a" + bytes(8))), deletes={7: [(0, 10_000)]}
    ),
    "the same": lambda given: given,
}


@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED.keys())
async def test_answer_that_can_not_be_trusted_leaves_every_byte(
    scene: Scene, answer: Callable[[bytes], bytes]
) -> None:
    scene.compactor.answer = answer
    room = await scene.open()
    await scene.write(room, *RAW)
    await scene.replication.finish()
    assert len(scene.compactor.asked) == 1
    assert await scene.stored() == [document_of(*RAW).encode()]
    assert room.document.encode() == document_of(*RAW).encode()


@pytest.mark.parametrize(
    "updates",
    [
        [typed(7, "short"), typed(7, "er", 5)],
        [typed(7, LONG), typed(7, "y", 10_001)],
        [typed(7, LONG), update(client(8, 0, values(b"\x7a" + bytes(8))))],
    ],
    ids=["short", "with a gap", "not to be encoded again"],
)
async def test_document_that_is_not_worth_it_or_must_stay_is_not_tried(
    scene: Scene, updates: list[bytes]
) -> None:
    room = await scene.open()
    await scene.write(room, *updates)
    await scene.replication.finish()
    assert scene.compactor.asked == []
    assert await scene.stored() == [document_of(*updates).encode()]


async def test_room_is_not_tried_again_before_it_has_doubled(scene: Scene) -> None:
    scene.compactor.answer = fail("no")
    room = await scene.open()
    await scene.write(room, *RAW)
    await scene.write(room, typed(8, "a"), typed(8, "b", 1))
    await scene.close(room)
    room = await scene.open()
    await scene.write(room, typed(8, "a", 2), typed(8, "b", 3))
    await scene.replication.finish()
    assert len(scene.compactor.asked) == 1
    await scene.write(room, typed(9, LONG), typed(9, LONG, 10_000))
    await scene.replication.finish()
    assert len(scene.compactor.asked) == 2


async def test_room_whose_turn_it_was_not_is_tried_again_at_once(scene: Scene) -> None:
    def busy(update: bytes) -> bytes:
        raise CompactionBusyError("Not now.")

    scene.compactor.answer = busy
    room = await scene.open()
    await scene.write(room, *RAW)
    await scene.replication.finish()
    assert await scene.stored() == [document_of(*RAW).encode()]
    scene.compactor.answer = collector.collect
    await scene.write(room, typed(8, "a"), typed(8, "b", 1))
    await scene.replication.finish()
    assert len(scene.compactor.asked) == 2


async def test_attempts_that_are_remembered_are_bounded(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MAX_REMEMBERED", 1)
    scene.compactor.answer = fail("no")
    attempts = compaction.Compaction(scene.compactor)
    document = document_of(*RAW)
    for name in ("one", "two"):
        assert await attempts.attempt(name, compaction.Snapshot.of(document)) is None
    assert attempts.is_worthwhile("one", document)
    assert not attempts.is_worthwhile("two", document)


async def test_room_that_grows_by_much_gets_a_checkpoint_before_it_has_many_rows(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "CHECKPOINT_ROWS", 1000)
    monkeypatch.setattr(positions, "CHECKPOINT_BYTES", 5_000)
    room = await scene.open()
    await scene.write(room, typed(7, "a"))
    await scene.replication.finish()
    assert len(await scene.stored()) == 1
    await scene.write(room, typed(8, LONG))
    await scene.replication.finish()
    assert await scene.stored() == [document_of(typed(7, "a"), typed(8, LONG)).encode()]


# -- while it takes its time


async def test_updates_that_come_meanwhile_are_in_the_document_and_in_the_log(scene: Scene) -> None:
    scene.compactor.may_answer.clear()
    room = await scene.open()
    old = room.document
    await scene.write(room, *RAW)
    await until(lambda: scene.compactor.asked)
    await scene.write(room, NEWS, update(deletes={7: [(10_000, 1)]}))
    assert await scene.stored() == [*RAW, NEWS, update(deletes={7: [(10_000, 1)]})]
    scene.compactor.may_answer.set()
    await scene.replication.finish()
    assert room.document is not old
    assert says_the_same(room.document, document_of(*RAW, NEWS, update(deletes={7: [(10_000, 1)]})))
    assert await scene.stored() == [COLLECTED, NEWS, update(deletes={7: [(10_000, 1)]})]
    await scene.write(room, typed(8, "more", 9))
    assert room.document.contains(parse_update(typed(8, "more", 9)))


async def test_update_that_comes_while_news_are_read_is_not_lost(scene: Scene) -> None:
    """Long news are read in slices; what comes in between is waited for."""
    scene.compactor.may_answer.clear()
    room = await scene.open()
    await scene.write(room, *RAW)
    await until(lambda: scene.compactor.asked)
    long_news = update(client(8, 0, *(text("n") for _ in range(5_000))))
    await scene.write(room, long_news)
    scene.compactor.may_answer.set()
    for clock in range(40):
        await turns(1)
        room.take_in(parse_update(typed(9, "x", clock)))
    await scene.replication.drain()
    await scene.replication.finish()
    assert len(room.document.encode()) < len(long_news) + 500
    expected = document_of(*RAW, long_news, *(typed(9, "x", clock) for clock in range(40)))
    assert says_the_same(room.document, expected)


async def test_content_that_must_not_be_encoded_again_and_comes_meanwhile_is_flagged(scene: Scene) -> None:
    scene.compactor.may_answer.clear()
    room = await scene.open()
    await scene.write(room, *RAW)
    await until(lambda: scene.compactor.asked)
    await scene.write(room, update(client(8, 0, values(b"\x7a" + bytes(8)))))
    scene.compactor.may_answer.set()
    await scene.replication.finish()
    assert not room.document.is_reencodable
    assert len(room.document.encode()) < 100


async def test_room_has_one_checkpoint_under_way_at_a_time(scene: Scene) -> None:
    scene.compactor.may_answer.clear()
    room = await scene.open()
    await scene.write(room, *RAW)
    await until(lambda: scene.compactor.asked)
    for clock in range(6):
        await scene.write(room, typed(9, "x", clock))
    scene.compactor.may_answer.set()
    await scene.replication.finish()
    assert len(scene.compactor.asked) == 1
    await scene.write(room, typed(9, "x", 6))
    await scene.replication.finish()
    assert len(await scene.stored()) == 1


async def catch_up_while_written_to(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, text: str
) -> tuple[bool, Document, Document]:
    """Whether a collected document became level with one that is written to all the time; and the two."""
    document = document_of(*RAW)
    snapshot = compaction.Snapshot.of(document)
    collected = await compaction.collect(snapshot, scene.compactor)
    document.take_in(parse_update(typed(8, "x" * 2 * SHORT_BYTES)))
    clocks = iter(range(0, 1000 * len(text), len(text)))

    async def parse_and_be_written_to(data: bytes) -> object:
        document.take_in(parse_update(typed(9, text, next(clocks))))
        return parse_update(data)

    monkeypatch.setattr(compaction, "parse_update_in_slices", parse_and_be_written_to)
    return await compaction.catch_up(collected, snapshot), document, collected


async def test_document_that_is_written_to_all_the_time_is_brought_level(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_level, document, collected = await catch_up_while_written_to(scene, monkeypatch, "x")
    assert is_level
    assert says_the_same(collected, document)


async def test_document_that_grows_faster_than_it_is_read_stays_as_it_is(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_level, _, _ = await catch_up_while_written_to(scene, monkeypatch, "x" * 2 * SHORT_BYTES)
    assert not is_level


# -- leaving


async def test_leaving_does_not_wait_for_the_compactor(scene: Scene) -> None:
    scene.compactor.may_answer.clear()
    room = await scene.open()
    await scene.write(room, RAW[0])
    await scene.close(room)
    again = await scene.open()
    assert again.document.encode() == RAW[0]
    assert await scene.stored() == [RAW[0]]


async def test_room_that_is_left_is_collected_in_the_log(scene: Scene) -> None:
    room = await scene.open()
    await scene.write(room, document_of(*RAW).encode())
    await scene.close(room)
    await scene.replication.finish()
    assert await scene.stored() == [COLLECTED]


async def test_room_that_was_left_and_opened_again_keeps_its_own_document(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.compactor.may_answer.clear()
    room = await scene.open()
    await scene.write(room, *RAW)
    await until(lambda: scene.compactor.asked)
    await scene.close(room)
    monkeypatch.setattr(positions, "CHECKPOINT_ROWS", 1000)
    again = await scene.open()
    await scene.write(again, NEWS)
    scene.compactor.may_answer.set()
    await scene.replication.finish()
    assert again.document.encode() == document_of(*RAW, NEWS).encode()
    assert await scene.stored() == [COLLECTED, NEWS]


async def test_room_that_is_gone_meanwhile_gets_no_checkpoint(scene: Scene) -> None:
    scene.compactor.may_answer.clear()
    room = await scene.open()
    await scene.write(room, *RAW)
    await until(lambda: scene.compactor.asked)
    scene.log.remove_room("room")
    await scene.close(room)
    scene.compactor.may_answer.set()
    await scene.replication.finish()
    assert await scene.log.read("room", 0) is None


async def test_later_checkpoint_of_another_process_stays(scene: Scene) -> None:
    scene.compactor.may_answer.clear()
    room = await scene.open()
    await scene.write(room, *RAW)
    await until(lambda: scene.compactor.asked)
    await scene.log.append([NewRow("room", NEWS)])
    everything = document_of(*RAW, NEWS)
    await scene.log.checkpoint("room", 3, everything.encode(), everything.encoded_state_vector())
    scene.compactor.may_answer.set()
    await scene.replication.finish()
    assert await scene.stored() == [everything.encode()]


# -- connections


async def test_newcomer_and_who_comes_back_get_what_is_left(scene: Scene) -> None:
    room = await scene.open()
    await scene.write(room, *RAW)
    await scene.replication.finish()
    newcomer, returning = scene.join(room), scene.join(room)
    await receive(room, newcomer.connection, create_sync_step_1_message(b"\x00"))
    await receive(room, returning.connection, create_sync_step_1_message(b"\x01\x07\x90\x4e"))
    await until(lambda: len(newcomer.frames) == len(returning.frames) == 2)
    assert decode_message(newcomer.frames[-1]) == SyncStep2(COLLECTED)
    rest = document_of(typed(7, LONG), decode_message(returning.frames[-1]).update)  # type: ignore[union-attr]
    assert says_the_same(rest, room.document)


async def test_connection_that_joined_before_is_brought_level_from_the_new_document(scene: Scene) -> None:
    scene.compactor.may_answer.clear()
    room = await scene.open()
    reader = scene.join(room, is_reading=False)
    await scene.write(room, *RAW)
    await until(lambda: scene.compactor.asked)
    scene.compactor.may_answer.set()
    await scene.replication.finish()
    await scene.write(room, NEWS)
    assert reader.connection.known_now() == room.document.state_vector() == {7: 10_001, 8: 9}
    reader.line.read_again()
    await until(lambda: create_update_message(NEWS) in reader.frames)


async def test_checkpoint_is_written_only_when_all_that_is_in_it_is_committed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash must not leave in a checkpoint what is in no row: other processes would never hear of it."""

    async def fail(log: MemoryLog, rows: Sequence[NewRow]) -> list[int | None]:
        raise UnavailableError("The store does not answer.")

    monkeypatch.setattr(checkpoints, "SAVED_PATIENCE_S", 0.01)
    room = await scene.open()
    await scene.write(room, RAW[0])
    monkeypatch.setattr(MemoryLog, "append", fail)
    room.take_in(parse_update(typed(8, "not committed")))
    await scene.replication.close(room)
    await scene.replication.finish()
    assert await scene.stored() == [RAW[0]]
