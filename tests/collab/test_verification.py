"""Logs that are damaged on purpose, in the database: what is found, and what mending makes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from collab.engine.document import Document, join_encoded_updates
from collab.engine.errors import UnavailableError
from collab.engine.gate import parse_update
from collab.engine.ports import NewRow
from collab.mending import Mend, MendKind, mend_room
from collab.models import Checkpoint, DamagedRow, Room, RoomHead, StoredUpdate
from collab.store import append_rows, read_log, write_checkpoint
from collab.verification import Finding, FindingKind, Survey, verify_room
from tests.engine.builders import client, document_of, gc, skip, state_vector, typed, update
from tests.factories import make_room, run_together

pytestmark = pytest.mark.django_db(transaction=True)

#: What a client typed, a row each; the numbers of the rows begin with 1.
TYPED = [typed(7, letter, clock) for clock, letter in enumerate("abcde")]
#: No Yjs update: it announces more than it has.
DAMAGED = b"\x05\x01\x02"


def new_log(rows: int = 5, checkpoint: int = 0) -> Room:
    """A room with `rows` rows, those up to number `checkpoint` joined into one."""
    room = make_room()
    append(room, *TYPED[:rows])
    if checkpoint:
        join(room, checkpoint, *TYPED[:checkpoint])
    return room


def append(room: Room, *data: bytes) -> None:
    append_rows([NewRow(str(room.pk), item) for item in data])


def join(room: Room, seq: int, *data: bytes) -> None:
    document = document_of(*data)
    write_checkpoint(room.pk, seq, document.encode(), document.encoded_state_vector())


def rows(room: Room, *seqs: int) -> QuerySet[StoredUpdate]:
    return StoredUpdate.objects.filter(room=room, seq__in=seqs)


def found(room: Room) -> list[tuple[FindingKind, int, int]]:
    report = verify_room(room.pk)
    assert report is not None
    return [(finding.kind, finding.first, finding.last) for finding in report.findings]


def mended(room: Room) -> list[tuple[MendKind, int, int]]:
    return [(mend.kind, mend.first, mend.last) for mend in mend_room(room.pk)]


def opened(room: Room) -> Document:
    """What a process that opens the room gets to know.

    Raises:
        UnavailableError, MalformedError: it can't be opened.
    """
    part = read_log(room.pk, 0)
    assert part is not None
    return document_of(*part.updates)


def has(room: Room, *data: bytes) -> bool:
    document = opened(room)
    return all(document.contains(parse_update(item)) for item in data)


def everything(room: Room) -> list[object]:
    """All that is stored of a room."""
    tables = (RoomHead, StoredUpdate, Checkpoint, DamagedRow)
    return [list(table.objects.filter(room=room).order_by("seq").values()) for table in tables]


# -- healthy logs


@pytest.mark.parametrize(("count", "checkpoint"), [(0, 0), (5, 0), (5, 3), (5, 5)])
def test_healthy_log_has_no_findings(count: int, checkpoint: int) -> None:
    assert found(new_log(count, checkpoint)) == []


def test_report_counts_rows_and_the_bytes_of_rows_and_checkpoint() -> None:
    room = new_log(5, 3)
    report = verify_room(room.pk)
    joined = join_encoded_updates(TYPED[:3])
    assert report is not None
    assert (report.rows, report.size_bytes) == (2, len(joined) + sum(map(len, TYPED[3:])))


def test_room_that_is_gone_has_no_report_and_nothing_to_mend() -> None:
    assert verify_room(uuid4()) is None
    assert mend_room(uuid4()) == ()


def test_mending_a_healthy_log_does_nothing() -> None:
    room = new_log(5, 3)
    before = everything(room)
    assert mend_room(room.pk) == ()
    assert everything(room) == before


def test_state_vector_in_another_order_and_with_zeros_is_right() -> None:
    room = make_room()
    first, second = typed(1, "a"), typed(2, "b")
    append(room, first, second)
    write_checkpoint(room.pk, 2, join_encoded_updates([first, second]), state_vector({1: 1, 3: 0, 2: 1}))
    assert found(room) == []


def test_structs_that_came_out_of_order_wait_for_nothing() -> None:
    room = make_room()
    append(room, *reversed(TYPED))
    assert found(room) == []


# -- while servers run


def test_checkpoint_between_two_reads_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    room = new_log(5, 2)
    take_checkpoint = Survey.take_checkpoint

    def write() -> None:
        append(room, typed(7, "f", 5))
        join(room, 5, *TYPED)

    def interrupted(survey: Survey, *args: object) -> None:
        """The checkpoint has been read and the rows not yet; now most of them go."""
        assert run_together(write) == [None]
        take_checkpoint(survey, *args)

    monkeypatch.setattr(Survey, "take_checkpoint", interrupted)
    assert found(room) == []
    assert Checkpoint.objects.get(room=room).seq == 5


def test_healthy_log_is_never_reported_while_it_is_written() -> None:
    room = make_room()
    letters = [typed(7, "x", clock) for clock in range(200)]
    done = threading.Event()

    def write() -> None:
        try:
            for number, data in enumerate(letters, start=1):
                append(room, data)
                if number % 7 == 0:
                    join(room, number, *letters[:number])
        finally:
            done.set()

    def verify() -> list[object]:
        seen: list[object] = []
        while not done.is_set():
            seen += found(room)
        return seen

    assert run_together(write, verify, verify) == [None, [], []]
    assert found(room) == []


def test_verifying_waits_for_no_writer() -> None:
    room = new_log()
    locked, verified = threading.Event(), threading.Event()

    def write() -> bool:
        with transaction.atomic():
            RoomHead.objects.select_for_update().get(room=room)
            locked.set()
            return verified.wait(timeout=10)

    def verify() -> list[object]:
        locked.wait(timeout=10)
        try:
            return list(found(room))
        finally:
            verified.set()

    assert run_together(write, verify) == [True, []]


def test_verifying_a_damaged_log_writes_and_locks_nothing() -> None:
    room = new_log()
    rows(room, 2).delete()
    with CaptureQueriesContext(connection) as queries:
        assert found(room) == [(FindingKind.HOLE, 2, 2), (FindingKind.CLOCKS_MISSING, 0, 5)]
    words = {word for query in queries for word in query["sql"].upper().split()}
    assert not words & {"INSERT", "UPDATE", "DELETE", "IMMEDIATE"}


def test_mending_while_a_writer_appends_loses_no_row() -> None:
    room = new_log()
    RoomHead.objects.filter(room=room).update(seq=7)
    more = [typed(8, "y", clock) for clock in range(30)]
    run_together(lambda: [append(room, data) for data in more], lambda: mend_room(room.pk))
    mend_room(room.pk)
    assert found(room) == []
    assert has(room, *TYPED, *more)


# -- the head


def test_missing_head_is_found_and_created_at_the_last_number() -> None:
    room = new_log(5, 3)
    RoomHead.objects.filter(room=room).delete()
    assert found(room) == [(FindingKind.HEAD_MISSING, 5, 5)]
    assert mended(room) == [(MendKind.HEAD_WRITTEN, 5, 5)]
    assert found(room) == []
    assert has(room, *TYPED)
    assert append_rows([NewRow(str(room.pk), typed(7, "f", 5))]) == [6]


def test_missing_head_mended_twice_at_once_is_created_once() -> None:
    room = new_log()
    RoomHead.objects.filter(room=room).delete()
    mends = run_together(lambda: mended(room), lambda: mended(room))
    assert sorted(mends, key=str) == [[(MendKind.HEAD_WRITTEN, 5, 5)], []]


@pytest.mark.parametrize("checkpoint", [0, 3, 5])
def test_head_behind_is_found_and_raised(checkpoint: int) -> None:
    room = new_log(5, checkpoint)
    RoomHead.objects.filter(room=room).update(seq=2)
    assert found(room) == [(FindingKind.HEAD_BEHIND, 3, 5)]
    assert mended(room) == [(MendKind.HEAD_WRITTEN, 5, 5)]
    assert found(room) == []
    assert append_rows([NewRow(str(room.pk), typed(7, "f", 5))]) == [6]


def test_head_ahead_is_found_and_the_rest_becomes_a_checkpoint_at_its_number() -> None:
    room = new_log(5, 3)
    RoomHead.objects.filter(room=room).update(seq=9)
    assert found(room) == [(FindingKind.HEAD_AHEAD, 6, 9)]
    with pytest.raises(UnavailableError):
        opened(room)
    assert mended(room) == [(MendKind.CHECKPOINT_WRITTEN, 9, 9)]
    assert found(room) == []
    assert has(room, *TYPED)
    assert append_rows([NewRow(str(room.pk), typed(7, "f", 5))]) == [10]


# -- the rows


def test_hole_is_found_and_closed_by_a_checkpoint_of_the_rest() -> None:
    room = new_log(5, 1)
    rows(room, 3, 4).delete()
    assert found(room) == [(FindingKind.HOLE, 3, 4), (FindingKind.CLOCKS_MISSING, 0, 5)]
    assert mended(room) == [(MendKind.CHECKPOINT_WRITTEN, 5, 5)]
    assert found(room) == [(FindingKind.CLOCKS_MISSING, 0, 5)]
    assert has(room, TYPED[0], TYPED[1], TYPED[4])


def test_lost_rows_that_a_client_sends_again_make_the_mended_room_whole() -> None:
    room = new_log()
    rows(room, 3).delete()
    mend_room(room.pk)
    append(room, TYPED[2])
    assert found(room) == []
    assert opened(room).state_vector() == {7: 5}


def test_missing_checkpoint_is_a_hole_from_the_first_row_on() -> None:
    room = new_log(5, 3)
    Checkpoint.objects.filter(room=room).delete()
    assert found(room)[0] == (FindingKind.HOLE, 1, 3)


def test_rows_that_the_checkpoint_contains_are_found_and_deleted() -> None:
    room = new_log(5, 3)
    for seq in (1, 3):
        StoredUpdate.objects.create(room=room, seq=seq, data=TYPED[seq - 1])
    assert found(room) == [(FindingKind.ROW_COVERED, 1, 3)]
    assert mended(room) == [(MendKind.ROWS_DELETED, 1, 3)]
    assert found(room) == []
    assert has(room, *TYPED)


def test_rows_that_the_checkpoint_lacks_are_found_and_appended_again() -> None:
    room = new_log(5, 3)
    lost = [typed(8, "x"), typed(9, "y")]
    for seq, data in enumerate(lost, start=1):
        StoredUpdate.objects.create(room=room, seq=seq, data=data)
    assert found(room) == [(FindingKind.ROW_NOT_IN_CHECKPOINT, 1, 2)]
    assert mended(room) == [(MendKind.ROW_APPENDED, 1, 1), (MendKind.ROW_APPENDED, 2, 2)]
    assert found(room) == []
    assert has(room, *TYPED, *lost)
    part = read_log(room.pk, 5)
    assert part is not None
    assert (part.seq, part.updates) == (7, lost), "a process that has the room open reads them"


def test_rows_behind_a_head_that_fell_behind_the_checkpoint_are_not_lost() -> None:
    room = new_log(5, 5)
    RoomHead.objects.filter(room=room).update(seq=2)
    append(room, typed(8, "x"))
    assert found(room) == [(FindingKind.ROW_NOT_IN_CHECKPOINT, 3, 3), (FindingKind.HEAD_BEHIND, 4, 5)]
    assert mended(room) == [(MendKind.HEAD_WRITTEN, 5, 5), (MendKind.ROW_APPENDED, 3, 3)]
    assert found(room) == []
    assert has(room, *TYPED, typed(8, "x"))


def test_row_below_the_checkpoint_and_hole_at_once_keep_both_contents() -> None:
    room = new_log(5, 2)
    StoredUpdate.objects.create(room=room, seq=1, data=typed(8, "x"))
    rows(room, 4).delete()
    mend_room(room.pk)
    assert [kind for kind, _, _ in found(room)] == [FindingKind.CLOCKS_MISSING]
    assert has(room, *TYPED[:3], TYPED[4], typed(8, "x"))
    assert RoomHead.objects.get(room=room).seq == 6


@pytest.mark.parametrize("seq", [1, 3, 5])
def test_unreadable_row_is_found_and_set_aside_with_its_bytes(seq: int) -> None:
    room, author = new_log(5), uuid4()
    rows(room, seq).update(data=DAMAGED, author_id=author)
    assert (FindingKind.ROW_UNREADABLE, seq, seq) in found(room)
    assert mended(room) == [(MendKind.SET_ASIDE, seq, seq), (MendKind.CHECKPOINT_WRITTEN, 5, 5)]
    assert not {kind for kind, _, _ in found(room)} - {FindingKind.CLOCKS_MISSING}
    assert has(room, *TYPED[: seq - 1], *TYPED[seq:])
    row = DamagedRow.objects.get(room=room)
    assert (row.seq, bytes(row.data), row.author_id) == (seq, DAMAGED, author)
    assert row.reason.startswith("row_unreadable: ")


def test_unreadable_row_below_the_checkpoint_is_set_aside() -> None:
    room = new_log(5, 3)
    StoredUpdate.objects.create(room=room, seq=2, data=DAMAGED)
    assert found(room) == [(FindingKind.ROW_UNREADABLE, 2, 2)]
    mend_room(room.pk)
    assert found(room) == []
    assert has(room, *TYPED)
    assert bytes(DamagedRow.objects.get(room=room).data) == DAMAGED


def test_damage_of_all_kinds_at_once_is_mended_in_one_go() -> None:
    room = new_log(5, 2)
    RoomHead.objects.filter(room=room).delete()
    Checkpoint.objects.filter(room=room).update(state_vector=b"")
    StoredUpdate.objects.create(room=room, seq=1, data=TYPED[0])
    StoredUpdate.objects.create(room=room, seq=2, data=typed(8, "x"))
    StoredUpdate.objects.create(room=room, seq=9, data=DAMAGED)
    rows(room, 4).delete()
    mend_room(room.pk)
    assert [kind for kind, _, _ in found(room)] == [FindingKind.CLOCKS_MISSING]
    assert has(room, *TYPED[:3], TYPED[4], typed(8, "x"))


# -- the checkpoint


def test_unreadable_checkpoint_is_found_and_set_aside_with_its_bytes() -> None:
    room = new_log(5, 3)
    Checkpoint.objects.filter(room=room).update(data=DAMAGED)
    assert found(room) == [(FindingKind.CHECKPOINT_UNREADABLE, 3, 3), (FindingKind.CLOCKS_MISSING, 0, 5)]
    assert mended(room) == [(MendKind.SET_ASIDE, 3, 3), (MendKind.CHECKPOINT_WRITTEN, 5, 5)]
    assert found(room) == [(FindingKind.CLOCKS_MISSING, 0, 5)]
    assert has(room, *TYPED[3:])
    row = DamagedRow.objects.get(room=room)
    assert (row.seq, bytes(row.data), row.author_id) == (3, DAMAGED, None)


def test_unreadable_checkpoint_whose_rows_are_still_there_loses_nothing() -> None:
    room = new_log(5, 3)
    Checkpoint.objects.filter(room=room).update(data=DAMAGED)
    for seq in (1, 2, 3):
        StoredUpdate.objects.create(room=room, seq=seq, data=TYPED[seq - 1])
    mend_room(room.pk)
    assert found(room) == []
    assert has(room, *TYPED)


@pytest.mark.parametrize("wrong", [b"", DAMAGED, state_vector({7: 9}), state_vector({})])
def test_wrong_state_vector_is_found_and_written_anew(wrong: bytes) -> None:
    room = new_log(5, 3)
    Checkpoint.objects.filter(room=room).update(state_vector=wrong)
    assert found(room) == [(FindingKind.STATE_VECTOR_WRONG, 3, 3)]
    assert mended(room) == [(MendKind.STATE_VECTOR_WRITTEN, 3, 3)]
    assert found(room) == []
    assert bytes(Checkpoint.objects.get(room=room).state_vector) == state_vector({7: 3})


# -- what is only waiting


@pytest.mark.parametrize(
    "waiting",
    [TYPED[4], update(client(7, 2, gc(), skip(2), gc())), update(client(7, 0, gc(), skip(1), gc()))],
)
def test_structs_that_wait_for_others_are_a_warning_and_left_alone(waiting: bytes) -> None:
    room = make_room()
    append(room, waiting)
    report = verify_room(room.pk)
    assert report is not None
    assert [finding.kind for finding in report.findings] == [FindingKind.CLOCKS_MISSING]
    assert not report.is_damaged
    assert mend_room(room.pk) == ()


def test_warning_names_the_clocks_of_one_client_and_counts_the_others() -> None:
    room = make_room()
    append(room, typed(7, "x", 4), typed(8, "y", 2))
    report = verify_room(room.pk)
    assert report is not None
    detail = "Structs wait for clocks 0 to 3 of client 7, and of 1 more clients."
    assert report.findings == (Finding(FindingKind.CLOCKS_MISSING, 0, 2, detail),)


# -- what can't be mended


def damage_head(room: Room) -> None:
    RoomHead.objects.filter(room=room).update(seq=4)
    StoredUpdate.objects.filter(room=room).delete()


def damage_rows(room: Room) -> None:
    StoredUpdate.objects.filter(room=room).update(data=DAMAGED)


def damage_checkpoint(room: Room) -> None:
    join(room, 5, *TYPED)
    Checkpoint.objects.filter(room=room).update(data=DAMAGED)


@pytest.mark.parametrize("damage", [damage_head, damage_rows, damage_checkpoint])
def test_room_of_which_nothing_is_readable_is_left_as_it_is(damage: Callable[[Room], None]) -> None:
    room = new_log()
    damage(room)
    before = everything(room)
    assert mend_room(room.pk) == ()
    assert everything(room) == before
    assert found(room)


def test_mending_that_fails_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise DatabaseError("disk full")

    room = new_log()
    rows(room, 3).update(data=DAMAGED)
    before = everything(room)
    monkeypatch.setattr("collab.mending.write_checkpoint", fail)
    with pytest.raises(DatabaseError):
        mend_room(room.pk)
    assert everything(room) == before


def test_mend_tells_what_was_done() -> None:
    room = new_log()
    RoomHead.objects.filter(room=room).delete()
    assert mend_room(room.pk) == (Mend(MendKind.HEAD_WRITTEN, 5, 5, "The head is at the last number."),)
