"""Mending what `verification` finds in a room's log, without losing a byte.

One room is one transaction under its head's lock, in which its log is walked anew. Numbers are never
given out twice, so a log that lacks rows ends where its head says: everything that can be read becomes
one checkpoint there. What can't be read is set aside as `DamagedRow`. A room of which nothing can be
read is left as it is, because a room never starts empty.

Live processes keep what they have in memory, and read from the log what is new in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.db import transaction

from collab.models import Checkpoint, DamagedRow, Room, RoomHead, StoredUpdate
from collab.store import write_checkpoint
from collab.verification import Finding, FindingKind, Survey, survey_room

#: What keeps a room from being opened: the log has to be written anew from what is left.
_BREAKS = frozenset(
    {
        FindingKind.HEAD_AHEAD,
        FindingKind.HOLE,
        FindingKind.ROW_UNREADABLE,
        FindingKind.CHECKPOINT_UNREADABLE,
    }
)


class MendKind(StrEnum):
    """What was done to a log."""

    HEAD_WRITTEN = "head_written"
    ROWS_DELETED = "rows_deleted"
    ROW_APPENDED = "row_appended"
    SET_ASIDE = "set_aside"
    STATE_VECTOR_WRITTEN = "state_vector_written"
    CHECKPOINT_WRITTEN = "checkpoint_written"


@dataclass(frozen=True, slots=True)
class Mend:
    """One thing that was done to the rows `first` to `last`, both included."""

    kind: MendKind
    first: int
    last: int
    detail: str


@transaction.atomic
def mend_room(room_id: UUID) -> tuple[Mend, ...]:
    """Mend one room's log, or leave all of it as it was; nothing is done to a healthy one.

    What is still wrong afterwards could not be mended: verify the room again.
    """
    _lock(room_id)
    survey = survey_room(room_id)
    return tuple(_mend(survey)) if survey else ()


def _lock(room_id: UUID) -> None:
    """Lock the head, which every writer locks; where there is none, the room."""
    head = RoomHead.objects.select_for_update().filter(pk=room_id)
    if not head.first():
        Room.objects.select_for_update(no_key=True).filter(pk=room_id).first()
        head.first()  # another repair may have made it meanwhile


def _mend(survey: Survey) -> Iterator[Mend]:
    kinds = {finding.kind for finding in survey.findings}
    if kinds & {FindingKind.HEAD_MISSING, FindingKind.HEAD_BEHIND}:
        yield _write_head(survey)
    is_broken = bool(kinds & _BREAKS)
    if is_broken and survey.document.is_empty:
        return
    for finding in survey.findings:
        yield from _mend_finding(survey, finding)
    if is_broken:
        yield _write_checkpoint(survey)
    elif FindingKind.STATE_VECTOR_WRONG in kinds:
        yield _write_state_vector(survey)


def _mend_finding(survey: Survey, finding: Finding) -> Iterator[Mend]:
    """Take out of the log what does not belong where it is."""
    match finding.kind:
        case FindingKind.CHECKPOINT_UNREADABLE:
            yield _set_aside_checkpoint(survey.room_id, finding)
        case FindingKind.ROW_UNREADABLE:
            yield _set_aside_row(survey.room_id, finding)
        case FindingKind.ROW_COVERED:
            yield _delete_rows(survey.room_id, finding)
        case FindingKind.ROW_NOT_IN_CHECKPOINT:
            yield from _append_again(survey.room_id, finding)
        case _:
            pass


def _write_head(survey: Survey) -> Mend:
    RoomHead.objects.update_or_create(pk=survey.room_id, defaults={"seq": survey.last})
    return Mend(MendKind.HEAD_WRITTEN, survey.last, survey.last, "The head is at the last number.")


def _set_aside_checkpoint(room_id: UUID, finding: Finding) -> Mend:
    checkpoint = Checkpoint.objects.get(pk=room_id)
    _set_aside(checkpoint, None, finding)
    checkpoint.delete()
    return Mend(MendKind.SET_ASIDE, finding.first, finding.last, "The checkpoint is a damaged row now.")


def _set_aside_row(room_id: UUID, finding: Finding) -> Mend:
    row = StoredUpdate.objects.get(room=room_id, seq=finding.first)
    _set_aside(row, row.author_id, finding)
    row.delete()
    return Mend(MendKind.SET_ASIDE, finding.first, finding.last, "The row is a damaged row now.")


def _set_aside(source: Checkpoint | StoredUpdate, author_id: UUID | None, finding: Finding) -> None:
    DamagedRow.objects.create(
        room_id=source.room_id,
        seq=source.seq,
        data=source.data,
        author_id=author_id,
        created_at=source.created_at,
        reason=f"{finding.kind}: {finding.detail}",
    )


def _delete_rows(room_id: UUID, finding: Finding) -> Mend:
    StoredUpdate.objects.filter(room=room_id, seq__range=(finding.first, finding.last)).delete()
    return Mend(MendKind.ROWS_DELETED, finding.first, finding.last, "The checkpoint contains them.")


def _append_again(room_id: UUID, finding: Finding) -> Iterator[Mend]:
    """Give rows the next numbers: joined into the checkpoint, no live process would ever read them."""
    head = RoomHead.objects.get(pk=room_id)
    rows = StoredUpdate.objects.filter(room=room_id, seq__range=(finding.first, finding.last))
    for key, seq in rows.order_by("seq").values_list("pk", "seq"):
        head.seq += 1
        StoredUpdate.objects.filter(pk=key).update(seq=head.seq)
        yield Mend(MendKind.ROW_APPENDED, seq, seq, f"It is row {head.seq} now.")
    head.save()


def _write_checkpoint(survey: Survey) -> Mend:
    """Join everything that can be read, in the place of all rows up to the last number."""
    document = survey.document
    Checkpoint.objects.filter(pk=survey.room_id).delete()
    write_checkpoint(survey.room_id, survey.last, document.encode(), document.encoded_state_vector())
    return Mend(MendKind.CHECKPOINT_WRITTEN, survey.last, survey.last, "It holds all that can be read.")


def _write_state_vector(survey: Survey) -> Mend:
    checkpoint = Checkpoint.objects.get(pk=survey.room_id)
    checkpoint.state_vector = survey.state_vector
    checkpoint.save()
    return Mend(MendKind.STATE_VECTOR_WRITTEN, checkpoint.seq, checkpoint.seq, "As its bytes say.")
