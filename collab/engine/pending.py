"""Updates between the document of a room and the log: what becomes of them is one commit.

What one author writes in a room before that begins is one row. So a busy room has as many rows as
people who write, and not as many as keystrokes. What was written with the same client id stays in the
order in which it came, whoever wrote it: of two structs for one clock everybody keeps the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from collab.engine.gate import ParsedUpdate
from collab.engine.joined import MAX_JOINED_PARTS, JoinedUpdate
from collab.engine.ports import NewRow
from collab.engine.room import LiveRoom
from collab.engine.slices import Turn

#: What a row, and a part of an update in it, cost in memory at most, beside their bytes.
ROW_BYTES = 1536
PART_BYTES = 256


@dataclass(frozen=True, slots=True)
class PendingRow:
    """See the module; of two the one with the lower `index` comes first."""

    index: int
    room: LiveRoom
    author_id: UUID | None
    update: JoinedUpdate


@dataclass(slots=True)
class _PendingRoom:
    """`last`: the row of each author that may grow. `indexes`: of the last row with a client's structs."""

    last: dict[UUID | None, PendingRow] = field(default_factory=dict)
    indexes: dict[int, int] = field(default_factory=dict)
    calls: list[Callable[[], None]] = field(default_factory=list)

    def join(self, update: ParsedUpdate, author_id: UUID | None) -> bool:
        """Put the update in a row that is there; whether one can take it."""
        row = self.last.get(author_id)
        if row is None or update.parts > MAX_JOINED_PARTS:
            return False
        if any(self.indexes.get(client, 0) > row.index for client in update.runs):
            return False
        if not row.update.add(update):
            return False
        self._note(update, row)
        return True

    def begin(self, row: PendingRow, update: ParsedUpdate) -> None:
        """Note a new row, which has this update so far."""
        if update.parts > MAX_JOINED_PARTS:  # instead of noting 20,000 clients: no row before it may grow
            self.last.clear()
            self.indexes.clear()
            return
        self.last[row.author_id] = row
        self._note(update, row)

    def _note(self, update: ParsedUpdate, row: PendingRow) -> None:
        for client in update.runs:
            self.indexes[client] = row.index


class Pending:
    """The rows of the next commit, or of the one that is going on.

    `updates`: how many are in them. `size_bytes`: what they take in memory at most.
    """

    def __init__(self) -> None:
        self.updates = 0
        self.rows: list[PendingRow] = []
        self.size_bytes = 0
        self._rooms: dict[LiveRoom, _PendingRoom] = {}

    def __bool__(self) -> bool:
        return bool(self.rows)

    def __contains__(self, room: LiveRoom) -> bool:
        return room in self._rooms

    def add(self, room: LiveRoom, update: ParsedUpdate, author_id: UUID | None) -> None:
        self.updates += 1
        self.size_bytes += len(update.data) + update.parts * PART_BYTES
        pending = self._rooms.get(room)
        if pending is None:
            pending = self._rooms[room] = _PendingRoom()
        if not pending.join(update, author_id):
            row = PendingRow(len(self.rows), room, author_id, JoinedUpdate(update))
            self.rows.append(row)
            self.size_bytes += ROW_BYTES
            pending.begin(row, update)

    def when_saved(self, room: LiveRoom, call: Callable[[], None]) -> None:
        """Have a call made for a room that has rows here, when they are committed."""
        self._rooms[room].calls.append(call)

    async def encode(self) -> list[NewRow]:
        """What is to be committed, row by row; nothing may be added from now on."""
        turn, rows = Turn(), []
        for row in self.rows:
            rows.append(NewRow(row.room.name, row.update.encode(), row.author_id))
            await turn.rest()
        return rows

    def calls(self, room: LiveRoom) -> Iterable[Callable[[], None]]:
        return self._rooms[room].calls
