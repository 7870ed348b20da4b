"""Updates between the document of a room and the log: what becomes of them is one commit.

What one author writes in a room before that begins is one row. So a busy room has as many rows as
people who write, and not as many as keystrokes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from collab.engine.gate import ParsedUpdate
from collab.engine.joined import JoinedUpdate
from collab.engine.ports import NewRow
from collab.engine.room import LiveRoom
from collab.engine.slices import Turn

#: What a row, and a part of an update in it, cost in memory at most, beside their bytes.
ROW_BYTES = 1536
PART_BYTES = 256


@dataclass(frozen=True, slots=True)
class PendingRow:
    """See the module."""

    room: LiveRoom
    author_id: UUID | None
    update: JoinedUpdate


class Pending:
    """The rows of the next commit, or of the one that is going on.

    `updates`: how many are in them. `size_bytes`: what they take in memory at most.
    """

    def __init__(self) -> None:
        self.updates = 0
        self.rows: list[PendingRow] = []
        self.size_bytes = 0
        self._open: dict[tuple[LiveRoom, UUID | None], PendingRow] = {}
        self._calls: dict[LiveRoom, list[Callable[[], None]]] = {}

    def __bool__(self) -> bool:
        return bool(self.rows)

    def __contains__(self, room: LiveRoom) -> bool:
        return room in self._calls

    def add(self, room: LiveRoom, update: ParsedUpdate, author_id: UUID | None) -> None:
        self.updates += 1
        self.size_bytes += len(update.data) + update.parts * PART_BYTES
        row = self._open.get((room, author_id))
        if row is not None and row.update.add(update):
            return
        row = self._open[room, author_id] = PendingRow(room, author_id, JoinedUpdate(update))
        self.rows.append(row)
        self.size_bytes += ROW_BYTES
        self._calls.setdefault(room, [])

    def when_saved(self, room: LiveRoom, call: Callable[[], None]) -> None:
        """Have a call made for a room that has rows here, when they are committed."""
        self._calls[room].append(call)

    async def encode(self) -> list[NewRow]:
        """What is to be committed, row by row; nothing may be added from now on."""
        turn, rows = Turn(), []
        for row in self.rows:
            rows.append(NewRow(row.room.name, row.update.encode(), row.author_id))
            await turn.rest()
        return rows

    def calls(self, room: LiveRoom) -> Iterable[Callable[[], None]]:
        return self._calls[room]
