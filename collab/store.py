"""The engine's log over the ORM: numbered rows, a head that is locked to append, checkpoints."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from collab.engine.errors import UnavailableError
from collab.engine.ports import LogPart, NewRow
from collab.ids import AsText, Ids, IsAnyOf
from collab.models import Checkpoint, RoomHead, StoredUpdate
from collab.rows import insert_rows, lock_rows, update_rows, write_transaction
from collab.threads import DatabaseThreads

#: Threads that load rooms; commits have one of their own, and so have checkpoints, which may be large.
READERS = 4
#: How often a read is tried while checkpoints take rows away under it.
_READ_ATTEMPTS = 5
_DIGITS = re.compile("[0-9a-f]{32}")


class DatabaseLog:
    """See `engine.ports.Log`. A room's name is its id; whatever is no id is no room."""

    def __init__(self) -> None:
        self._writer = DatabaseThreads("log-writer", 1)
        self._checkpointer = DatabaseThreads("log-checkpointer", 1)
        self._readers = DatabaseThreads("log-reader", READERS)

    async def append(self, rows: Sequence[NewRow]) -> list[int | None]:
        return await self._writer.run(append_rows, rows)

    async def read(self, room: str, after: int) -> LogPart | None:
        room_id = _find_id(room)
        return None if room_id is None else await self._readers.run(read_log, room_id, after)

    async def heads(self, rooms: Collection[str]) -> dict[str, int]:
        return await self._readers.run(_heads, rooms)

    async def checkpoint(self, room: str, seq: int, update: bytes, state_vector: bytes) -> None:
        await self._checkpointer.run(write_checkpoint, UUID(room), seq, update, state_vector)

    def close(self) -> None:
        """Close the threads; blocks until they are idle."""
        self._writer.close()
        self._checkpointer.close()
        self._readers.close()


@write_transaction()
def append_rows(rows: Sequence[NewRow]) -> list[int | None]:
    """Number the rows and store them; none where the room is gone.

    The heads are locked in the order of their ids: two writers wait for each other in turn, and
    nobody sees a number before all the lower ones. The lock lets checkpoints by, see `_hold_head`.
    """
    ids = {row.room: room_id for row in rows if (room_id := _find_id(row.room))}
    heads = lock_rows(RoomHead, "seq", set(ids.values()))
    seqs: list[int | None] = []
    stored = []
    now = timezone.now()
    for row in rows:
        room_id = ids.get(row.room)
        if room_id not in heads:
            seqs.append(None)
            continue
        heads[room_id] += 1
        seqs.append(heads[room_id])
        stored.append((room_id, heads[room_id], row.data, row.author_id, now))
    insert_rows(StoredUpdate, ("room", "seq", "data", "author_id", "created_at"), stored)
    update_rows(RoomHead, "seq", heads)
    return seqs


def read_log(room_id: UUID, after: int) -> LogPart | None:
    """What is newer than `after`: the checkpoint where it covers more, and the rows behind it.

    Not in a transaction, which would make a reader wait for the writer on SQLite: the head is read
    first, so that what follows can only be newer, and read again if a checkpoint came in between.

    Raises:
        UnavailableError: rows are missing for good; better no room than half a document.
    """
    seq = RoomHead.objects.filter(pk=room_id).values_list("seq", flat=True).first()
    if seq is None:
        return None
    for _ in range(_READ_ATTEMPTS):
        checkpoint = Checkpoint.objects.filter(pk=room_id, seq__gt=after).first()
        start = checkpoint.seq if checkpoint else after
        rows = list(
            StoredUpdate.objects.filter(room=room_id, seq__gt=start)
            .order_by("seq")
            .values_list("seq", "data")
        )
        if _is_whole(start, seq, rows):
            updates = [bytes(checkpoint.data)] if checkpoint else []
            updates += [bytes(data) for _, data in rows]
            return LogPart(rows[-1][0] if rows else start, updates, len(rows))
    raise UnavailableError(f"The log of room {room_id} has a hole behind row {start}.")


def _is_whole(start: int, head: int, rows: Iterable[tuple[int, object]]) -> bool:
    """Whether the rows go on from `start` without a hole, at least up to `head`."""
    expected = start
    for seq, _ in rows:
        expected += 1
        if seq != expected:
            return False
    return expected >= head


def _heads(rooms: Collection[str]) -> dict[str, int]:
    by_digits = {room.replace("-", ""): room for room in rooms}
    known = Ids({digits: room for digits, room in by_digits.items() if _DIGITS.fullmatch(digits)})
    return known.found(RoomHead.objects.filter(IsAnyOf("pk", known)).values_list(AsText("pk"), "seq"))


@transaction.atomic
def write_checkpoint(
    room_id: UUID, seq: int, update: bytes, state_vector: bytes, *, replaces_equal: bool = False
) -> None:
    """Put the joined update in the place of the rows up to `seq`, unless a later one is there.

    It waits for other checkpoints of the room, and neither waits for those who append nor stops them.

    Args:
        replaces_equal: also take the place of a checkpoint that goes just as far.
    """
    if not _hold_head(room_id, seq):
        return
    # An empty row where there is none: the bytes, which may be many, are sent once, to be compared with
    # whatever another process has written meanwhile.
    none = Checkpoint(room_id=room_id, seq=0, data=b"", state_vector=b"")
    Checkpoint.objects.bulk_create([none], ignore_conflicts=True)
    older = Checkpoint.objects.filter(pk=room_id, seq__lt=seq + replaces_equal)
    if older.update(seq=seq, data=update, state_vector=state_vector, created_at=timezone.now()):
        StoredUpdate.objects.filter(room=room_id, seq__lte=seq).delete()


def _hold_head(room_id: UUID, seq: int) -> bool:
    """Whether the room has come to `seq`; keeps its head from being deleted or repaired meanwhile.

    PostgreSQL's weakest lock of a row conflicts with the one that deletes or repairs (`FOR UPDATE`), and not
    with the one that appends (`FOR NO KEY UPDATE`): rows up to a number that is given out never change, so
    nobody has to wait while megabytes are written. Django has no name for it. SQLite has one writer anyway.
    """
    query, values = RoomHead.objects.filter(pk=room_id, seq__gte=seq).query.sql_with_params()
    lock = " FOR KEY SHARE" if connection.vendor == "postgresql" else ""
    return len(RoomHead.objects.raw(query + lock, values)) > 0


def _find_id(room: str) -> UUID | None:
    try:
        return UUID(room)
    except ValueError:
        return None
