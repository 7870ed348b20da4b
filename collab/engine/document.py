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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from collab.engine.encoding import write_var_uint
from collab.engine.gate import MAX_RUN, ParsedUpdate, Run, parse_update
from collab.engine.ranges import RangeSet
from collab.engine.structs import SKIP, cut_struct, finish, read_struct

EMPTY_UPDATE = b"\x00\x00"
#: What a deleted range counts for in the size of a document.
_RANGE_BYTES = 8
_NOTHING_DELETED = RangeSet()


@dataclass(slots=True)
class _Section:
    """Structs of one client without a gap. A mark is (clock, offset in `data`, structs before it)."""

    start: int
    end: int
    count: int
    data: bytearray
    marks: list[tuple[int, int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, run: Run) -> _Section:
        return cls(run.start, run.end, run.count, bytearray(run.data))

    def holds(self, run: Run) -> bool:
        return self.start <= run.start and run.end <= self.end

    def append(self, other: _Section | Run) -> None:
        """Lay what begins where this ends behind it."""
        size, count = len(self.data), self.count
        if count - (self.marks[-1][2] if self.marks else 0) >= MAX_RUN:
            self.marks.append((other.start, size, count))
        if isinstance(other, _Section):
            self.marks += [(clock, size + pos, count + index) for clock, pos, index in other.marks]
        self.data += other.data
        self.count += other.count
        self.end = other.end

    def after(self, client: int, clock: int) -> _Section:
        """The part from `clock` on, which lies inside the section; may cut a struct in two."""
        place = bisect_right(self.marks, clock, key=lambda mark: mark[0])
        start, base, index = self.marks[place - 1] if place else (self.start, 0, 0)
        stop = self.marks[place][1] if place < len(self.marks) else len(self.data)
        data, pos = bytes(self.data[base:stop]), 0
        while True:
            clocks, end, _ = finish(read_struct(data, pos))
            if start + clocks > clock:
                break
            start, pos, index = start + clocks, end, index + 1
        if start == clock:
            return _Section(clock, self.end, self.count - index, self.data[base + pos :])
        head = cut_struct(data, pos, client, start, clock - start)
        return _Section(clock, self.end, self.count - index, bytearray(head) + self.data[base + end :])


_start = attrgetter("start")


class Document:
    """Everything that is known of one document; grows by updates that passed the gate."""

    def __init__(self) -> None:
        self._clients: dict[int, list[_Section]] = {}
        self._deletes: dict[int, RangeSet] = {}
        self._encoded: bytes | None = None
        self._differences: dict[bytes, bytes] = {}
        self.size_bytes = 0
        self.is_reencodable = True

    @property
    def is_empty(self) -> bool:
        return not self._clients and not self._deletes

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
                sections = self._clients.setdefault(client, [])
                for run in runs:
                    is_new |= self._take_in_run(client, sections, run)
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
        news = [deleted.add(start, end) for start, end in ranges]
        self.size_bytes += (len(deleted) - before) * _RANGE_BYTES
        return any(news)

    def _take_in_run(self, client: int, sections: list[_Section], run: Run) -> bool:
        if not sections or sections[-1].end < run.start:
            sections.append(_Section.of(run))
        elif sections[-1].end == run.start:  # by far the most common: the client went on
            sections[-1].append(run)
        else:
            return self._take_in_overlap(client, sections, run)
        self.size_bytes += len(run.data)
        return True

    def _take_in_overlap(self, client: int, sections: list[_Section], run: Run) -> bool:
        """Fill a gap: of two structs for one clock the earlier one in the document stays whole."""
        new = _Section.of(run)
        place = bisect_right(sections, run.start, key=_start)
        if place and sections[place - 1].end > run.start:
            if sections[place - 1].holds(run):
                return False
            new = new.after(client, sections[place - 1].end)
        while place < len(sections) and sections[place].start < new.end:
            known = sections.pop(place)
            self.size_bytes -= len(known.data)
            if known.end > new.end:
                rest = known.after(client, new.end)
                self.size_bytes += len(rest.data)
                sections.insert(place, rest)
                break
        sections.insert(place, new)
        self.size_bytes += len(new.data)
        _join_neighbours(sections, place)
        return True

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
                wanted[0] = wanted[0].after(client, clock)
            yield client, wanted

    def _encode(self, clients: dict[int, list[_Section]]) -> bytes:
        out = bytearray(write_var_uint(len(clients)))
        for client in sorted(clients, reverse=True):  # as Yjs writes them
            sections = clients[client]
            structs = sum(section.count for section in sections) + len(sections) - 1
            out += write_var_uint(structs) + write_var_uint(client) + write_var_uint(sections[0].start)
            clock = sections[0].start
            for section in sections:
                if section.start > clock:
                    out += bytes((SKIP,)) + write_var_uint(section.start - clock)
                out += section.data
                clock = section.end
        return bytes(out + self.encoded_deletes())

    def encoded_deletes(self) -> bytes:
        """The delete set as it stands at the end of an update."""
        out = bytearray(write_var_uint(len(self._deletes)))
        for client in sorted(self._deletes, reverse=True):
            ranges = self._deletes[client]
            out += write_var_uint(client) + write_var_uint(len(ranges))
            for start, end in ranges:
                out += write_var_uint(start) + write_var_uint(end - start)
        return bytes(out)


def _join_neighbours(sections: list[_Section], place: int) -> None:
    """Make one of the section at `place` and those that touch it."""
    if place + 1 < len(sections) and sections[place].end == sections[place + 1].start:
        sections[place].append(sections.pop(place + 1))
    if place and sections[place - 1].end == sections[place].start:
        sections[place - 1].append(sections.pop(place))


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
