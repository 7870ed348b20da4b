"""Whether the log of a room is what it should be. Nothing here writes, and nothing here locks.

    checkpoint            rows                                head
    everything up to n    n + 1, n + 2, … without a hole      the number of the last row

A log is walked in that order, in one state of the database: a commit or a checkpoint is in it whole or
not at all, so neither can look like damage. Reading again under the head's lock would give the same, but
would stop the room's writers for as long as its bytes take to walk.

A walk holds one room's document, and a few rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from django.db import connection, transaction

from collab.engine.document import Document
from collab.engine.errors import MalformedError
from collab.engine.gate import ParsedUpdate, parse_state_vector, parse_update
from collab.engine.ranges import RangeSet
from collab.models import Checkpoint, Room, StoredUpdate

#: Rows in memory at a time; each is at most one message long.
_CHUNK = 50


class FindingKind(StrEnum):
    """What can be wrong with a log."""

    HEAD_MISSING = "head_missing"
    HEAD_BEHIND = "head_behind"
    HEAD_AHEAD = "head_ahead"
    HOLE = "hole"
    ROW_COVERED = "row_covered"
    ROW_NOT_IN_CHECKPOINT = "row_not_in_checkpoint"
    ROW_UNREADABLE = "row_unreadable"
    CHECKPOINT_UNREADABLE = "checkpoint_unreadable"
    STATE_VECTOR_WRONG = "state_vector_wrong"
    CLOCKS_MISSING = "clocks_missing"


#: What a client can bring about by itself, and what its missing updates would end.
WARNINGS = frozenset({FindingKind.CLOCKS_MISSING})
#: What neighbouring rows share as one finding.
_BELOW_THE_CHECKPOINT = frozenset({FindingKind.ROW_COVERED, FindingKind.ROW_NOT_IN_CHECKPOINT})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the rows `first` to `last`, both included."""

    kind: FindingKind
    first: int
    last: int
    detail: str

    @property
    def is_warning(self) -> bool:
        return self.kind in WARNINGS


@dataclass(frozen=True, slots=True)
class RoomReport:
    """What a walk over one log has seen. `size_bytes` counts the rows and the checkpoint."""

    room_id: UUID
    rows: int
    size_bytes: int
    findings: tuple[Finding, ...]

    @property
    def is_damaged(self) -> bool:
        """Whether there is more than warnings."""
        return any(not finding.is_warning for finding in self.findings)


@dataclass(slots=True)
class Survey:
    """What a walk finds out, fed in the order of the log: the checkpoint, the rows, the head.

    `document` is all that can be read, except rows that the checkpoint should contain and does not;
    `state_vector` is that of the checkpoint's bytes; `last` is the highest number there is.
    """

    room_id: UUID
    document: Document = field(default_factory=Document)
    findings: list[Finding] = field(default_factory=list)
    state_vector: bytes = b""
    last: int = 0
    rows: int = 0
    size_bytes: int = 0
    _covered: int = 0
    _has_lost_checkpoint: bool = False
    _clocks: dict[int, RangeSet] = field(default_factory=dict)

    def take_checkpoint(self, seq: int, data: bytes, state_vector: bytes) -> None:
        self.size_bytes += len(data)
        self._covered = self.last = seq
        update = self._read(FindingKind.CHECKPOINT_UNREADABLE, seq, data)
        if update is None:
            self._has_lost_checkpoint = True
            return
        self.document.take_in(update)
        self.state_vector = self.document.encoded_state_vector()
        if not _says(state_vector, self.document.state_vector()):
            self._find(FindingKind.STATE_VECTOR_WRONG, seq, seq, "It is not what the checkpoint's bytes say.")

    def take_row(self, seq: int, data: bytes) -> None:
        self.rows += 1
        self.size_bytes += len(data)
        if seq > self.last + 1:
            self._find(FindingKind.HOLE, self.last + 1, seq - 1, "The rows are missing.")
        self.last = max(self.last, seq)
        update = self._read(FindingKind.ROW_UNREADABLE, seq, data)
        if update is None:
            return
        if seq > self._covered or self._has_lost_checkpoint:
            self.document.take_in(update)
        elif self.document.contains(update):
            self._find(FindingKind.ROW_COVERED, seq, seq, "The checkpoint took their place.")
        else:
            self._find(FindingKind.ROW_NOT_IN_CHECKPOINT, seq, seq, "Numbered below it, and not in it.")

    def take_head(self, seq: int | None) -> None:
        if seq is None:
            self._find(FindingKind.HEAD_MISSING, self.last, self.last, "The room takes no updates.")
        elif seq < self.last:
            self._find(FindingKind.HEAD_BEHIND, seq + 1, self.last, f"The head says {seq}.")
        elif seq > self.last:
            self._find(FindingKind.HEAD_AHEAD, self.last + 1, seq, "The last rows are missing.")
            self.last = seq
        self._find_missing_clocks()

    def report(self) -> RoomReport:
        return RoomReport(self.room_id, self.rows, self.size_bytes, tuple(self.findings))

    def _read(self, kind: FindingKind, seq: int, data: bytes) -> ParsedUpdate | None:
        try:
            update = parse_update(data)
        except MalformedError as error:
            self._find(kind, seq, seq, str(error))
            return None
        for client, runs in update.runs.items():
            if runs:
                ranges = [(run.start, run.end) for run in runs]
                self._clocks.setdefault(client, RangeSet()).add_all(ranges)
        return update

    def _find(self, kind: FindingKind, first: int, last: int, detail: str) -> None:
        """Add a finding; neighbours that say the same become one, so that a log of them stays short."""
        before = self.findings[-1] if self.findings else None
        if (
            before is not None
            and (before.kind, before.detail) == (kind, detail)
            and kind in _BELOW_THE_CHECKPOINT
        ):
            first = self.findings.pop().first
        self.findings.append(Finding(kind, first, last, detail))

    def _find_missing_clocks(self) -> None:
        """Name one client that a struct waits for, and how many there are."""
        waiting = {client: gap for client, ranges in self._clocks.items() if (gap := _first_gap(ranges))}
        if waiting:
            client, (first, end) = next(iter(waiting.items()))
            more = f", and of {len(waiting) - 1} more clients" if len(waiting) > 1 else ""
            detail = f"Structs wait for clocks {first} to {end - 1} of client {client}{more}."
            self._find(FindingKind.CLOCKS_MISSING, 0, self.last, detail)


def verify_room(room_id: UUID) -> RoomReport | None:
    """Walk one room's log; none if the room is gone. Not to be called in a transaction."""
    with _one_state():
        survey = survey_room(room_id)
    return survey.report() if survey else None


def survey_room(room_id: UUID) -> Survey | None:
    """Walk one room's log, in a transaction that sees one state of it; none if the room is gone."""
    heads = list(Room.objects.filter(pk=room_id).values_list("head__seq", flat=True))
    if not heads:
        return None
    survey = Survey(room_id)
    for checkpoint in Checkpoint.objects.filter(pk=room_id):
        survey.take_checkpoint(checkpoint.seq, bytes(checkpoint.data), bytes(checkpoint.state_vector))
    rows = StoredUpdate.objects.filter(room=room_id).order_by("seq").values_list("seq", "data")
    for seq, data in rows.iterator(chunk_size=_CHUNK):
        survey.take_row(seq, bytes(data))
    survey.take_head(heads[0])
    return survey


@contextmanager
def _one_state() -> Iterator[None]:
    """A transaction whose reads all see the same state; it waits for nobody, and nobody for it."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:  # `atomic` would take the write lock
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
        return
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _says(state_vector: bytes, clocks: dict[int, int]) -> bool:
    try:
        stored = parse_state_vector(state_vector)
    except MalformedError:
        return False
    return {client: clock for client, clock in stored.items() if clock} == clocks


def _first_gap(clocks: RangeSet) -> tuple[int, int] | None:
    """The first clocks that are missing below others, half-open."""
    known = 0
    for start, end in clocks:
        if start > known:
            return known, start
        known = end
    return None
