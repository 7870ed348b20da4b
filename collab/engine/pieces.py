"""Long bytes that lie in many places: sent, framed and copied piece by piece, never as a whole at once.

What a piece lies in only ever grows at its end (see `sections`), so that a piece stays what it is while the
document goes on.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple, TypeVar

#: Bytes that are copied at once; a tenth of a millisecond.
CHUNK_BYTES = 256 * 1024
#: Shorter pieces are laid together.
MIN_PIECE_BYTES = 16 * 1024


class Piece(NamedTuple):
    """The bytes of `data` from `start` to `stop`."""

    data: bytes | bytearray
    start: int
    stop: int

    @classmethod
    def all_of(cls, data: bytes | bytearray) -> Piece:
        return cls(data, 0, len(data))

    def __bytes__(self) -> bytes:
        return bytes(memoryview(self.data)[self.start : self.stop])


class LongBytes:
    """Has the length and the slices of `bytes`, and can be made one: `bytes(long)`."""

    __slots__ = ("_ends", "_pieces")

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._ends = list(accumulate(piece.stop - piece.start for piece in pieces))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(len(self))
        parts = []
        index = bisect_right(self._ends, start)
        while start < stop:
            data, _, end = self._pieces[index]
            first = end - (self._ends[index] - start)
            parts.append(memoryview(data)[first : min(end, first + stop - start)])
            start, index = self._ends[index], index + 1
        return b"".join(parts)

    def __bytes__(self) -> bytes:
        return self[:]

    def behind(self, head: bytes) -> LongBytes:
        """`head`, and all of this behind it."""
        return LongBytes([Piece.all_of(head), *self._pieces])


Data = bytes | LongBytes
DataT = TypeVar("DataT", bytes, LongBytes, Data)


def laid_together(pieces: Iterable[Piece]) -> list[Piece]:
    """The same bytes in fewer pieces: those that are short are copied."""
    out: list[Piece] = []
    short = bytearray()
    for piece in pieces:
        if piece.stop - piece.start < MIN_PIECE_BYTES:
            short += memoryview(piece.data)[piece.start : piece.stop]
            continue
        if short:
            out.append(Piece.all_of(short))
            short = bytearray()
        out.append(piece)
    if short:
        out.append(Piece.all_of(short))
    return out


async def join_in_slices(data: Data) -> bytes:
    """All of it in one place, copied while the event loop goes on. Cancelling leaves nothing behind."""
    if isinstance(data, bytes):
        return data
    chunks = []
    for start in range(0, len(data), CHUNK_BYTES):
        chunks.append(data[start : start + CHUNK_BYTES])
        await asyncio.sleep(0)
    if len(chunks) <= 1:
        return b"".join(chunks)
    whole = await asyncio.to_thread(b"".join, chunks)  # does not keep the interpreter to itself
    while chunks:  # to free megabytes takes milliseconds, too
        del chunks[-8:]
        await asyncio.sleep(0)
    return whole
