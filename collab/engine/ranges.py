"""A set of clocks as disjoint half-open ranges, in order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterator, Sequence
from heapq import merge

#: From so many new ranges on, one merge is cheaper than moving the rest of the list for each.
MANY = 512
#: Ranges between two yields; well below a millisecond.
STEPS = 512
#: What a set that is not empty and a range count for in the size of a document: what they take in memory.
_SET_BYTES = 256
_RANGE_BYTES = 64


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

    def cut(self, first: int, stop: int) -> list[tuple[int, int]]:
        """The ranges from the `first` up to the one at `stop`."""
        return list(zip(self._starts[first:stop], self._ends[first:stop], strict=True))

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

    def with_all(self, ranges: Sequence[tuple[int, int]]) -> Generator[None, None, RangeSet | None]:
        """As `add_all`, in slices, to a set of its own; none if nothing is new."""
        parts: list[list[tuple[int, int]]] = []
        for first in range(0, len(ranges), STEPS):
            new = [item for item in ranges[first : first + STEPS] if not self.covers(*item)]
            if new:
                parts.append(sorted(new))
            if first:
                yield
        if not parts:
            return None
        grown = RangeSet()
        if len(parts) == 1:
            grown._starts, grown._ends = self._starts.copy(), self._ends.copy()
            for index, (start, end) in enumerate(parts[0]):
                grown.add(start, end)
                if index % 32 == 31:
                    yield
            return grown
        starts, ends = grown._starts, grown._ends
        known = zip(self._starts.copy(), self._ends.copy(), strict=True)  # others may write meanwhile
        for index, (start, end) in enumerate(merge(known, *parts)):
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
            if index % STEPS == STEPS - 1:
                yield
        return grown

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


def growth(before: int, after: int) -> int:
    """By how many bytes a set grows that had so many ranges before, and has so many now."""
    return (after - before) * _RANGE_BYTES + (_SET_BYTES if after and not before else 0)
