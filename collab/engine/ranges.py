"""A set of clocks as disjoint half-open ranges, in order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

#: From so many new ranges on, one merge is cheaper than moving the rest of the list for each.
MANY = 512


class RangeSet:
    """Grows by ranges; ranges that touch become one. Adding at the end is cheap."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._ends, strict=True)

    def __len__(self) -> int:
        return len(self._starts)

    def covers(self, start: int, end: int) -> bool:
        """Whether every clock from `start` up to `end` is in the set."""
        index = bisect_right(self._starts, start) - 1
        return index >= 0 and end <= self._ends[index]

    def add_all(self, ranges: Sequence[tuple[int, int]]) -> bool:
        """Add ranges in any order; tell whether any of it was new."""
        new = [item for item in ranges if not self.covers(*item)]
        if len(new) >= MANY:
            self._merge(new)
        else:
            for start, end in new:
                self.add(start, end)
        return bool(new)

    def _merge(self, new: list[tuple[int, int]]) -> None:
        starts: list[int] = []
        ends: list[int] = []
        for start, end in sorted([*self, *new]):
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        self._starts, self._ends = starts, ends

    def add(self, start: int, end: int) -> bool:
        """Add a range; tell whether any of it was new."""
        if self.covers(start, end):
            return False
        first = bisect_left(self._ends, start)  # the first range that touches the new one, …
        last = bisect_right(self._starts, end)  # … and the one after the last that does
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]
        return True
