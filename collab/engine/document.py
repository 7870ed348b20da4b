"""A Yjs document as bytes: what is known of each client, laid end to end, and what was deleted.

No struct is ever decoded into a document or encoded again. Each client has sections: stretches of
clocks without a gap, holding the bytes of their structs as they came. Taking an update in appends its
runs; overlap is resolved as Yjs does it, by cutting the later struct from the left. Joining updates
is the same thing: take them in, encode.

Invariants: sections of a client are in order, do not overlap and do not touch.
Source: yjs `updates.js` (mergeUpdates, diffUpdate).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter

from collab.engine.encoding import write_var_uint
from collab.engine.gate import MAX_RUN, MAX_RUN_BYTES, ParsedUpdate, Run, parse_update
from collab.engine.ranges import MANY, RangeSet
from collab.engine.structs import SKIP, cut_struct, finish, read_struct

EMPTY_UPDATE = b"\x00\x00"
#: What a section and a deleted range count for in the size of a document: what they take in memory.
_SECTION_BYTES = 256
_RANGE_BYTES = 64
_NOTHING_DELETED = RangeSet()


@dataclass(slots=True)
class _Section:
    """Structs of one client without a gap. A mark is (clock, offset in `data`, structs before it).

    `places` has those of long structs, by the clock at which the struct ends; none has none.
    """

    start: int
    end: int
    count: int
    data: bytearray
    marks: list[tuple[int, int, int]] = field(default_factory=list)
    places: dict[int, Sequence[tuple[int, int]]] | None = None

    @classmethod
    def of(cls, run: Run) -> _Section:
        return cls(run.start, run.end, run.count, bytearray(run.data), places=_places_of(run))

    def holds(self, run: Run) -> bool:
        return self.start <= run.start and run.end <= self.end

    @property
    def size_bytes(self) -> int:
        return len(self.data) + _SECTION_BYTES

    def append(self, other: _Section | Run) -> None:
        """Lay what begins where this ends behind it."""
        size, count = len(self.data), self.count
        _, marked_size, marked_count = self.marks[-1] if self.marks else (0, 0, 0)
        is_far = count - marked_count >= MAX_RUN or size - marked_size >= MAX_RUN_BYTES
        if is_far or len(other.data) >= MAX_RUN_BYTES:
            self.marks.append((other.start, size, count))
        if isinstance(other, _Section):
            self.marks += [(clock, size + pos, count + index) for clock, pos, index in other.marks]
        if other.places:
            self.places = (self.places or {}) | (_places_of(other) or {})
        self.data += other.data
        self.count += other.count
        self.end = other.end

    def after(self, client: int, clock: int, *, exactly: bool = True) -> _Section:
        """The part from `clock` on, which lies inside the section; may cut a struct in two.

        Unless `exactly`, a struct that is long to cut stays whole: who receives it cuts it itself.
        """
        place = bisect_right(self.marks, clock, key=_clock)
        start, base, index = self.marks[place - 1] if place else (self.start, 0, 0)
        marks = self.marks[place:]
        stop_clock, stop, next_index = marks[0] if marks else (self.end, len(self.data), self.count)
        is_one = next_index - index == 1
        if start == clock or (not exactly and is_one and stop - base >= MAX_RUN_BYTES):
            return self._rest(start, index, b"", base, marks)
        data, pos, end = bytes(self.data[base:stop]), 0, stop - base
        while not is_one:
            clocks, end, _ = finish(read_struct(data, pos))
            if start + clocks > clock:
                break
            start, pos, index = start + clocks, end, index + 1
            if start == clock:
                return self._rest(clock, index, b"", base + pos, marks)
        known = self._place(start, clock, stop_clock) if is_one else (0, 0)
        head = cut_struct(data, pos, end, client=client, clock=start, offset=clock - start, place=known)
        return self._rest(clock, index, head, base + end, marks)

    def _place(self, start: int, clock: int, end: int) -> tuple[int, int]:
        """The last place up to `clock` in the struct from `start` to `end`; none is `(0, 0)`."""
        places = (self.places or {}).get(end, ())
        place = bisect_right(places, clock, key=_clock)
        if not place or places[place - 1][0] <= start:  # it has none, or none that was not cut off
            return 0, 0
        found, bytes_left = places[place - 1]
        return found - start, bytes_left

    def _rest(
        self, start: int, index: int, head: bytes, base: int, marks: Iterable[tuple[int, int, int]]
    ) -> _Section:
        """What begins at `start`: `head`, and the bytes from `base` on, with `index` structs before it."""
        moved = [(clock, pos - base + len(head), before - index) for clock, pos, before in marks]
        data = bytearray(head)
        data += memoryview(self.data)[base:]
        places = None
        if self.places:
            places = {end: places for end, places in self.places.items() if end > start} or None
        return _Section(start, self.end, self.count - index, data, moved, places)


def _places_of(part: Run | _Section) -> dict[int, Sequence[tuple[int, int]]] | None:
    if isinstance(part, _Section):
        return part.places
    return {part.end: part.places} if part.places else None


_start = attrgetter("start")
_clock = itemgetter(0)


class Document:
    """Everything that is known of one document; grows by updates that passed the gate."""

    def __init__(self) -> None:
        self._clients: dict[int, list[_Section]] = {}
        self._deletes: dict[int, RangeSet] = {}
        self._encoded: bytes | None = None
        self._encoded_deletes: bytes | None = None
        self._differences: dict[bytes, bytes] = {}
        self.size_bytes = 0
        self.is_reencodable = True

    @property
    def is_empty(self) -> bool:
        return not self._clients and not self._deletes

    @property
    def has_gaps(self) -> bool:
        """Whether structs are missing before some that are known."""
        return any(len(sections) > 1 or sections[0].start for sections in self._clients.values())

    def contains(self, update: ParsedUpdate) -> bool:
        """Whether the update brings nothing new, neither structs nor deletions."""
        for client, runs in update.runs.items():
            sections = self._clients.get(client, [])
            for run in runs:
                place = bisect_right(sections, run.start, key=_start)
                if not place or not sections[place - 1].holds(run):
                    return False
        for client, ranges in update.deletes.items():
            deleted = self._deletes.get(client, _NOTHING_DELETED)
            if not all(deleted.covers(start, end) for start, end in ranges):
                return False
        return True

    def take_in(self, update: ParsedUpdate) -> bool:
        """Add what is new of the update; tell whether anything was."""
        is_new = False
        for client, runs in update.runs.items():
            if runs:
                is_new |= self._take_in_runs(client, self._clients.setdefault(client, []), runs)
        for client, ranges in update.deletes.items():
            if ranges:
                is_new |= self._take_in_deletes(self._deletes.setdefault(client, RangeSet()), ranges)
        if is_new:
            self._encoded = None
            self._differences.clear()
            self.is_reencodable = self.is_reencodable and update.is_reencodable
        return is_new

    def _take_in_deletes(self, deleted: RangeSet, ranges: list[tuple[int, int]]) -> bool:
        before = len(deleted)
        is_new = deleted.add_all(ranges)
        self.size_bytes += (len(deleted) - before) * _RANGE_BYTES
        if is_new:
            self._encoded_deletes = None
        return is_new

    def _take_in_runs(self, client: int, sections: list[_Section], runs: list[Run]) -> bool:
        if not sections or sections[-1].end <= runs[0].start:  # by far the most common: the client went on
            for run in runs:
                self.size_bytes += _lay(sections, run)
            return True
        if len(runs) >= MANY:
            return self._take_in_overlap(client, sections, runs)
        news = [self._take_in_overlap(client, sections, [run]) for run in runs]
        return any(news)

    def _take_in_overlap(self, client: int, sections: list[_Section], runs: Sequence[Run]) -> bool:
        """Fill gaps: of two structs for one clock the earlier one in the document stays whole.

        All sections that the runs may touch are laid anew, in one pass over both.
        """
        first = max(0, bisect_right(sections, runs[0].start, key=_start) - 1)
        stop = bisect_right(sections, runs[-1].end, key=_start)
        known = sections[first:stop]
        known.reverse()  # the next one is the last
        laid: list[_Section] = []
        is_new = False
        self.size_bytes -= sum(section.size_bytes for section in known)
        for run in runs:
            while known and known[-1].start <= run.start:
                self.size_bytes += _lay(laid, known.pop())
            if laid and laid[-1].end >= run.end:
                continue
            is_new = True
            new = _Section.of(run)
            if laid and laid[-1].end > run.start:
                new = new.after(client, laid[-1].end)
            while known and known[-1].start < new.end:
                later = known.pop()
                if later.end > new.end:
                    known.append(later.after(client, new.end))
            self.size_bytes += _lay(laid, new)
        while known:
            self.size_bytes += _lay(laid, known.pop())
        sections[first:stop] = laid
        return is_new

    def state_vector(self) -> dict[int, int]:
        """Client → the clock up to which everything of it is known; clients with a gap at 0 are absent."""
        return {client: s[0].end for client, s in self._clients.items() if s[0].start == 0}

    def encoded_state_vector(self) -> bytes:
        return encode_state_vector(self.state_vector())

    def encode(self) -> bytes:
        """The whole document as one update; kept until something new comes."""
        if self._encoded is None:
            self._encoded = self._encode(self._clients)
        return self._encoded

    def difference(self, known: dict[int, int]) -> bytes:
        """What someone with the state vector `known` may not have, as one update.

        Deletions are always all included: a state vector says nothing about them.
        """
        known = {client: clock for client, clock in known.items() if clock and client in self._clients}
        if not known:
            return self.encode()
        key = encode_state_vector(known)
        if key not in self._differences:
            if len(self._differences) >= 8:
                self._differences.clear()
            self._differences[key] = self._encode(dict(self._after(known)))
        return self._differences[key]

    def _after(self, known: dict[int, int]) -> Iterator[tuple[int, list[_Section]]]:
        for client, sections in self._clients.items():
            clock = known.get(client, 0)
            if clock >= sections[-1].end:
                continue
            wanted = [section for section in sections if section.end > clock]
            if wanted[0].start < clock:
                wanted[0] = wanted[0].after(client, clock, exactly=False)
            yield client, wanted

    def _encode(self, clients: dict[int, list[_Section]]) -> bytes:
        out = bytearray(write_var_uint(len(clients)))
        pieces = [out]
        for client in sorted(clients, reverse=True):  # as Yjs writes them
            sections = clients[client]
            structs = sum(section.count for section in sections) + len(sections) - 1
            out += write_var_uint(structs) + write_var_uint(client) + write_var_uint(sections[0].start)
            clock = sections[0].start
            for section in sections:
                if section.start > clock:
                    out += bytes((SKIP,)) + write_var_uint(section.start - clock)
                if len(section.data) < MAX_RUN_BYTES:
                    out += section.data
                else:  # copied once, into the whole
                    out = bytearray()
                    pieces += [section.data, out]
                clock = section.end
        return b"".join([*pieces, self.encoded_deletes()])

    def encoded_deletes(self) -> bytes:
        """The delete set as it stands at the end of an update; kept until something more is deleted."""
        if self._encoded_deletes is None:
            self._encoded_deletes = self._encode_deletes()
        return self._encoded_deletes

    def _encode_deletes(self) -> bytes:
        out = bytearray(write_var_uint(len(self._deletes)))
        for client in sorted(self._deletes, reverse=True):
            ranges = self._deletes[client]
            out += write_var_uint(client) + write_var_uint(len(ranges))
            for start, end in ranges:
                out += write_var_uint(start) + write_var_uint(end - start)
        return bytes(out)


def _lay(sections: list[_Section], new: _Section | Run) -> int:
    """Put what begins at or after the end of the last section behind it; by how much that grows."""
    if sections and sections[-1].end == new.start:
        sections[-1].append(new)
        return len(new.data)
    sections.append(new if isinstance(new, _Section) else _Section.of(new))
    return len(new.data) + _SECTION_BYTES


def encode_state_vector(clocks: dict[int, int]) -> bytes:
    out = bytearray(write_var_uint(len(clocks)))
    for client in sorted(clocks, reverse=True):
        out += write_var_uint(client) + write_var_uint(clocks[client])
    return bytes(out)


def join_updates(updates: Iterable[ParsedUpdate]) -> bytes:
    """One update that says what all of them say, without re-encoding any struct."""
    document = Document()
    for update in updates:
        document.take_in(update)
    return document.encode()


def join_encoded_updates(updates: Iterable[bytes]) -> bytes:
    """As `join_updates`, for updates that passed the gate before and were stored."""
    return join_updates(parse_update(update) for update in updates)
