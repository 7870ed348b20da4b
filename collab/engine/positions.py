"""How far a live room has followed its log, and how much of that no checkpoint holds yet."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from collab.engine.limits import MIB

#: A room's rows are joined into a checkpoint when they are so many, when what it holds has grown by so
#: many bytes and by half, and when it is left.
CHECKPOINT_ROWS = 1_000
CHECKPOINT_BYTES = 4 * MIB


@dataclass(slots=True)
class Position:
    """See the module: every row up to `seq`, and some `early` ones; `rows` since the last checkpoint."""

    seq: int = 0
    early: set[int] = field(default_factory=set)
    rows: int = 0
    checkpoint_bytes: int = 0
    is_checkpointing: bool = False
    is_open: bool = False
    fetch: asyncio.Task[None] | None = None

    def saw(self, seq: int) -> None:
        if seq > self.seq:
            self.early.add(seq)
            self.rows += 1
        while self.seq + 1 in self.early:
            self.seq += 1
            self.early.discard(self.seq)

    def jump(self, seq: int) -> None:
        self.seq = max(self.seq, seq)
        self.early = {early for early in self.early if early > self.seq}
        self.saw(self.seq)

    def is_due(self, size_bytes: int) -> bool:
        """Whether a room of that size should get a checkpoint."""
        if self.is_checkpointing or not self.rows:
            return False
        grown_bytes = size_bytes - self.checkpoint_bytes
        has_grown = grown_bytes >= max(CHECKPOINT_BYTES, self.checkpoint_bytes // 2)
        return has_grown or self.rows >= CHECKPOINT_ROWS
