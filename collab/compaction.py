"""Compaction of stored rooms, one after the other, while servers may have them open.

Each room is read, collected in the sandbox, and written back as a checkpoint. Rows that come meanwhile
have higher numbers and stay; a checkpoint that another process wrote meanwhile stays too, unless it
goes exactly as far. Interrupted anywhere, each room is as it was or compacted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Length

from collab.engine.compaction import MIN_BYTES, Snapshot, check_collectable, collect
from collab.engine.document import Document
from collab.engine.errors import CompactionError, MalformedError, UnavailableError
from collab.engine.gate import parse_update
from collab.engine.ports import Compactor
from collab.models import Checkpoint, Room, StoredUpdate
from collab.store import read_log, write_checkpoint


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one room: its stored bytes, and why its garbage was not collected if it was not."""

    room_id: UUID
    bytes_before: int
    bytes_after: int
    kept_because: str | None = None


def rooms_worth_compacting(
    organization_id: UUID | None = None, room_ids: Collection[UUID] | None = None
) -> list[UUID]:
    """Rooms with rows behind their checkpoint, or a large checkpoint; in a fixed order."""
    has_rows = Exists(StoredUpdate.objects.filter(room=OuterRef("pk")))
    has_large_checkpoint = Exists(
        Checkpoint.objects.annotate(size=Length("data")).filter(pk=OuterRef("pk"), size__gte=MIN_BYTES)
    )
    rooms: QuerySet[Room] = Room.objects.filter(Q(has_rows) | Q(has_large_checkpoint))
    if organization_id is not None:
        rooms = rooms.filter(organization=organization_id)
    if room_ids is not None:
        rooms = rooms.filter(pk__in=room_ids)
    return list(rooms.order_by("pk").values_list("pk", flat=True))


def compact_rooms(
    room_ids: Iterable[UUID], compactor: Compactor, runner: asyncio.Runner, *, is_dry_run: bool = False
) -> Iterator[Outcome]:
    """Compact one room after the other; those that are gone are left out.

    A dry run does everything but write.

    Args:
        runner: of the event loop that the compactor lives in.
    """
    for room_id in room_ids:
        outcome = _compact_room(room_id, compactor, runner, is_dry_run=is_dry_run)
        if outcome is not None:
            yield outcome


def _compact_room(
    room_id: UUID, compactor: Compactor, runner: asyncio.Runner, *, is_dry_run: bool
) -> Outcome | None:
    bytes_before = 0
    try:
        part = read_log(room_id, 0)
        if part is None:
            return None
        bytes_before = sum(map(len, part.updates))
        document = Document()
        for update in part.updates:
            document.take_in(parse_update(update))
    except (UnavailableError, MalformedError) as error:
        return Outcome(room_id, bytes_before, bytes_before, f"It can't be read: {error}")
    snapshot = Snapshot.of(document)
    update, kept_because = snapshot.update, None
    try:
        check_collectable(document)
        update = runner.run(collect(snapshot, compactor)).encode()
    except CompactionError as error:
        kept_because = str(error)
    if len(update) > bytes_before or (not part.rows and kept_because):
        return Outcome(room_id, bytes_before, bytes_before, kept_because)
    if not is_dry_run:
        # A checkpoint that goes just as far may be replaced: the update was made of it.
        write_checkpoint(room_id, part.seq, update, document.encoded_state_vector(), replaces_equal=True)
    return Outcome(room_id, bytes_before, len(update), kept_because)
