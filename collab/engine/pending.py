"""Updates between the document of a room and the log: what becomes of them is one commit.

What one author writes in a room before that begins is one row. So a busy room has as many rows as
people who write, and not as many as keystrokes. What was written for the same clock of a client stays in
the order in which it came, whoever wrote it: everybody keeps the first of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from collab.engine.gate import ParsedUpdate
from collab.engine.joined import MAX_JOINED_PARTS, JoinedUpdate
from collab.engine.ports import NewRow
from collab.engine.room import LiveRoom
from collab.engine.slices import Turn

#: What a row, and a part of an update in it, cost in memory at most, beside their bytes.
ROW_BYTES = 1536
PART_BYTES = 512


class PendingRow(JoinedUpdate):
    """See the module; of two the one with the lower `index` comes first."""

    __slots__ = ("author_id", "index", "room")

    def __init__(self, index: int, room: LiveRoom, author_id: UUID | None, update: ParsedUpdate) -> None:
        super().__init__(update)
        self.index = index
        self.room = room
        self.author_id = author_id


class Pending:
    """The rows of the next commit, or of the one that is going on.

    `updates`: how many are in them. `size_bytes`: what they take in memory at most.
    """

    def __init__(self) -> None:
        self.updates = 0
        self.rows: list[PendingRow] = []
        self.size_bytes = 0
        self._calls: dict[LiveRoom, list[Callable[[], None]]] = {}
        #: The row of each author that may grow.
        self._last: dict[tuple[LiveRoom, UUID | None], PendingRow] = {}
        #: Of each client the last row with its structs, by index, and the clock at which they end there.
        self._ends: dict[tuple[LiveRoom, int], tuple[int, int]] = {}
        #: The first row that may grow in a room, by index.
        self._first: dict[LiveRoom, int] = {}

    def __bool__(self) -> bool:
        return bool(self.rows)

    def __contains__(self, room: LiveRoom) -> bool:
        return room in self._calls

    def add(self, room: LiveRoom, update: ParsedUpdate, author_id: UUID | None) -> None:
        self.updates += 1
        self.size_bytes += len(update.data) + update.parts * PART_BYTES
        row = self._last.get((room, author_id))
        if row is None or not self._may_grow(row, update) or not row.add(update):
            row = self._begin(room, update, author_id)
        if update.parts > MAX_JOINED_PARTS:  # instead of noting 20,000 clients: no row before it may grow
            self._first[room] = len(self.rows)
            return
        for client, runs in update.runs.items():
            if runs:
                self._ends[room, client] = row.index, runs[-1].end

    def _may_grow(self, row: PendingRow, update: ParsedUpdate) -> bool:
        """Whether the update goes on where its clients were, and none of them has written behind the row."""
        if update.parts > MAX_JOINED_PARTS or row.index < self._first.get(row.room, 0):
            return False
        for client, runs in update.runs.items():
            index, end = self._ends.get((row.room, client), (0, 0))
            if index > row.index or (runs and runs[0].start < end):
                return False
        return True

    def _begin(self, room: LiveRoom, update: ParsedUpdate, author_id: UUID | None) -> PendingRow:
        row = self._last[room, author_id] = PendingRow(len(self.rows), room, author_id, update)
        self.rows.append(row)
        self.size_bytes += ROW_BYTES
        self._calls.setdefault(room, [])
        return row

    def when_saved(self, room: LiveRoom, call: Callable[[], None]) -> None:
        """Have a call made for a room that has rows here, when they are committed."""
        self._calls[room].append(call)

    async def encode(self) -> list[NewRow]:
        """What is to be committed, row by row; nothing may be added from now on."""
        turn, rows = Turn(), []
        for row in self.rows:
            rows.append(NewRow(row.room.name, row.encode(), row.author_id))
            await turn.rest()
        return rows

    def calls(self, room: LiveRoom) -> Iterable[Callable[[], None]]:
        return self._calls[room]
