"""Structs of one client laid end to end: cut, joined and filled in without decoding their content.

Bytes that are laid stay where they are: a section only grows at its end, or another takes its place. So
who holds a section and a length holds what it was then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import NamedTuple

from collab.engine.gate import MAX_RUN, MAX_RUN_BYTES, Run
from collab.engine.leaves import as_leaf
from collab.engine.structs import cut_struct, finish, read_struct

#: What a section counts for in the size of a document: what it takes in memory.
SECTION_BYTES = 256
#: Runs, sections or clients between two yields; well below a millisecond.
STEPS = 256

start_of = attrgetter("start")
_clock = itemgetter(0)


@dataclass(slots=True)
class Section:
    """Structs of one client without a gap. A mark is (clock, offset in `data`, structs before it).

    `places` has those of long structs, by the clock at which the struct ends; none has none.
    """

    start: int
    end: int
    count: int
    data: bytearray
    marks: list[tuple[int, int, int]] | None = None  # no list for each of many short sections
    places: dict[int, Sequence[tuple[int, int]]] | None = None

    def __post_init__(self) -> None:
        as_leaf(self)

    @classmethod
    def of(cls, run: Run) -> Section:
        return cls(run.start, run.end, run.count, bytearray(run.data), places=_places_of(run))

    def holds(self, run: Run) -> bool:
        return self.start <= run.start and run.end <= self.end

    @property
    def size_bytes(self) -> int:
        return len(self.data) + SECTION_BYTES

    def copy(self) -> Section:
        marks = self.marks and self.marks.copy()
        return Section(self.start, self.end, self.count, bytearray(self.data), marks, self.places)

    def append(self, other: Section | Run) -> None:
        """Lay what begins where this ends behind it."""
        size, count = len(self.data), self.count
        _, marked_size, marked_count = self.marks[-1] if self.marks else (0, 0, 0)
        is_far = count - marked_count >= MAX_RUN or size - marked_size >= MAX_RUN_BYTES
        if is_far or len(other.data) >= MAX_RUN_BYTES:
            self._mark([(other.start, size, count)])
        if isinstance(other, Section) and other.marks:
            self._mark([(clock, size + pos, count + index) for clock, pos, index in other.marks])
        if other.places:
            self.places = (self.places or {}) | (_places_of(other) or {})
        self.data += other.data
        self.count += other.count
        self.end = other.end

    def _mark(self, marks: list[tuple[int, int, int]]) -> None:
        if self.marks is None:
            self.marks = marks
        else:
            self.marks += marks

    def after(self, client: int, clock: int) -> Section:
        """The part from `clock` on, which lies inside the section; may cut a struct in two."""
        return self._rest(self.cut(client, clock))

    def cut(self, client: int, clock: int, *, exactly: bool = True) -> Cut:
        """Where the part from `clock` on begins, which lies inside the section; may cut a struct in two.

        Unless `exactly`, a struct that is long to cut stays whole: who receives it cuts it itself.
        """
        marks = self.marks or []
        place = bisect_right(marks, clock, key=_clock)
        start, base, index = marks[place - 1] if place else (self.start, 0, 0)
        marks = marks[place:]
        stop_clock, stop, next_index = marks[0] if marks else (self.end, len(self.data), self.count)
        is_one = next_index - index == 1
        if start == clock or (not exactly and is_one and stop - base >= MAX_RUN_BYTES):
            return Cut(start, index, b"", base, marks)
        data, pos, end = bytes(self.data[base:stop]), 0, stop - base
        while not is_one:
            clocks, end, _ = finish(read_struct(data, pos))
            if start + clocks > clock:
                break
            start, pos, index = start + clocks, end, index + 1
            if start == clock:
                return Cut(clock, index, b"", base + pos, marks)
        known = self._place(start, clock, stop_clock) if is_one else (0, 0)
        head = cut_struct(data, pos, end, client=client, clock=start, offset=clock - start, place=known)
        return Cut(clock, index, head, base + end, marks)

    def _place(self, start: int, clock: int, end: int) -> tuple[int, int]:
        """The last place up to `clock` in the struct from `start` to `end`; none is `(0, 0)`."""
        places = (self.places or {}).get(end, ())
        place = bisect_right(places, clock, key=_clock)
        if not place or places[place - 1][0] <= start:  # it has none, or none that was not cut off
            return 0, 0
        found, bytes_left = places[place - 1]
        return found - start, bytes_left

    def _rest(self, cut: Cut) -> Section:
        start, index, head, base, marks = cut
        moved = [(clock, pos - base + len(head), before - index) for clock, pos, before in marks]
        data = bytearray(head)
        data += memoryview(self.data)[base:]
        places = None
        if self.places:
            places = {end: places for end, places in self.places.items() if end > start} or None
        return Section(start, self.end, self.count - index, data, moved, places)


class Cut(NamedTuple):
    """What begins at `start`: `head`, and the bytes of the section from `base` on.

    `skipped` structs of the section come before it; `marks` are those that come behind.
    """

    start: int
    skipped: int
    head: bytes
    base: int
    marks: Sequence[tuple[int, int, int]]


def _places_of(part: Run | Section) -> dict[int, Sequence[tuple[int, int]]] | None:
    if isinstance(part, Section):
        return part.places
    return {part.end: part.places} if part.places else None


def lay(sections: list[Section], new: Section | Run) -> int:
    """Put what begins at or after the end of the last section behind it; by how much that grows."""
    if sections and sections[-1].end == new.start:
        sections[-1].append(new)
        return len(new.data)
    sections.append(new if isinstance(new, Section) else Section.of(new))
    return len(new.data) + SECTION_BYTES


class Overlap(NamedTuple):
    """`laid` takes the place of the sections from `first` to `stop`, which are `grown` bytes less."""

    first: int
    stop: int
    laid: list[Section]
    is_new: bool
    grown: int


def overlap(
    client: int, sections: list[Section], runs: Sequence[Run], *, keeps: bool = False
) -> Generator[None, None, Overlap]:
    """Fill gaps: of two structs for one clock the earlier one in the document stays whole.

    All sections that the runs may touch are laid anew, in one pass over both.

    Args:
        keeps: copy what grows, so that `sections` stay what they are.
    """
    first = max(0, bisect_right(sections, runs[0].start, key=start_of) - 1)
    stop = bisect_right(sections, runs[-1].end, key=start_of)
    known = sections[first:stop]
    known.reverse()  # the next one is the last
    laid: list[Section] = []
    is_new = False
    is_kept = False  # whether the last one that was laid must not grow
    grown = 0
    for index, section in enumerate(known):
        grown -= section.size_bytes
        if index % STEPS == STEPS - 1:
            yield
    steps = 0
    for run in runs:
        steps += 1
        if steps % STEPS == 0:
            yield
        while known and known[-1].start <= run.start:
            steps += 1
            if steps % STEPS == 0:
                yield
            grown += lay(laid, known.pop())
            is_kept = keeps
        if laid and laid[-1].end >= run.end:
            continue
        is_new = True
        new = Section.of(run)
        if laid and laid[-1].end > run.start:
            new = new.after(client, laid[-1].end)
        while known and known[-1].start < new.end:
            later = known.pop()
            if later.end > new.end:
                known.append(later.after(client, new.end))
        if is_kept:
            laid[-1] = laid[-1].copy()
            is_kept = False
        grown += lay(laid, new)
    while known:
        steps += 1
        if steps % STEPS == 0:
            yield
        grown += lay(laid, known.pop())
    return Overlap(first, stop, laid, is_new, grown)
