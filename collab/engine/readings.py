"""A document of many clients, gaps or deleted ranges, encoded in slices while others write to it.

Clients are encoded in groups of neighbouring ids. What others write meanwhile is noted, and those groups are
encoded again; when none is left the groups are laid end to end at once. So what comes out is what the
document is at that moment, and never a part of an update.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from heapq import merge
from itertools import chain
from operator import attrgetter

from collab.engine.encoding import write_var_uint
from collab.engine.gate import MAX_RUN_BYTES
from collab.engine.pieces import LongBytes, Piece, laid_together
from collab.engine.ranges import RangeSet
from collab.engine.sections import STEPS, Section
from collab.engine.structs import SKIP

_end_of = attrgetter("end")


class Reading:
    """What someone with the state vector `known` may not have.

    Attributes:
        first_clocks: for each client of which it has structs the clock from which on.
        changed: clients that were written to since they were encoded; the document notes them here.
        gappy: clients of whose structs some are missing.
    """

    def __init__(
        self,
        sections: Mapping[int, list[Section]],
        deletes: Mapping[int, RangeSet],
        known: Mapping[int, int],
        encoded_deletes: Callable[[], bytes | None],
    ) -> None:
        self.first_clocks: dict[int, int] = {}
        self.changed: set[int] = set()
        self.gappy: set[int] = set()
        self._sections = sections
        self._deletes = deletes
        self._known = known
        self._encoded_deletes = encoded_deletes
        self._structs: _Groups | None = None
        self._ranges: _Groups | None = None

    def work(self) -> Generator[None, None, None]:
        """Encode everything, and when called again what was changed since; to be driven to its end."""
        changed = list(self.changed)
        self.changed.clear()
        if self._structs is None:
            self._structs = yield from _Groups.of(self._sections)
        else:
            self._structs.note(client for client in changed if client in self._sections)
        yield from self._structs.encode(self._write_structs)
        if self._encoded_deletes() is not None:
            return
        if self._ranges is None:
            self._ranges = yield from _Groups.of(self._deletes)
        else:
            self._ranges.note(client for client in changed if client in self._deletes)
        yield from self._ranges.encode(self._write_ranges)

    def deletes(self) -> bytes:
        """The delete set."""
        return self._encoded_deletes() or bytes(LongBytes(self._ranges.pieces() if self._ranges else ()))

    def update(self, deletes: bytes) -> LongBytes:
        """All of it as one update, v1."""
        return LongBytes([*(self._structs.pieces() if self._structs else ()), Piece.all_of(deletes)])

    def _write_structs(self, client: int, pieces: list[Piece]) -> Generator[None, None, bool]:
        sections, clock = self._sections[client], self._known.get(client, 0)
        if len(sections) > 1 or sections[0].start:
            self.gappy.add(client)
        else:
            self.gappy.discard(client)
        if clock >= sections[-1].end:
            return False
        self.first_clocks[client] = clock
        yield from write_sections(client, sections, clock, pieces)
        return True

    def _write_ranges(self, client: int, pieces: list[Piece]) -> Generator[None, None, bool]:
        yield from write_ranges(client, self._deletes[client], pieces)
        return True


class _Groups:
    """Neighbouring clients, and what is encoded of them."""

    def __init__(self, members: list[list[int]]) -> None:
        self._members = members
        self._bounds = [group[0] for group in members[1:]]
        self._encoded: list[tuple[int, list[Piece]]] = [(0, [])] * len(members)
        self._due = set(range(len(members)))

    @classmethod
    def of(cls, clients: Collection[int]) -> Generator[None, None, _Groups]:
        waiting = list(clients)
        parts = []
        for first in range(0, len(waiting), STEPS * 4):
            parts.append(sorted(waiting[first : first + STEPS * 4]))
            if first:
                yield
        members: list[list[int]] = [[]]
        for client in merge(*parts):
            if len(members[-1]) == STEPS:
                members.append([])
                if len(members) % 4 == 0:
                    yield
            members[-1].append(client)
        return cls(members)

    def note(self, changed: Iterable[int]) -> None:
        """Have the groups of these clients, of which some may be new, encoded again."""
        for client in changed:
            index = bisect_right(self._bounds, client)
            group = self._members[index]
            place = bisect_left(group, client)
            if place == len(group) or group[place] != client:
                group.insert(place, client)
            self._due.add(index)

    def encode(
        self, write: Callable[[int, list[Piece]], Generator[None, None, bool]]
    ) -> Generator[None, None, None]:
        while self._due:
            index = self._due.pop()
            pieces: list[Piece] = []
            count = 0
            for client in reversed(self._members[index]):  # as Yjs writes them
                count += yield from write(client, pieces)
            self._encoded[index] = count, laid_together(pieces)
            yield

    def pieces(self) -> list[Piece]:
        count = write_var_uint(sum(count for count, _ in self._encoded))
        return [Piece.all_of(count), *chain.from_iterable(pieces for _, pieces in reversed(self._encoded))]


def write_sections(
    client: int, sections: Sequence[Section], clock: int, pieces: list[Piece]
) -> Generator[None, None, None]:
    """Put a client's structs from `clock` on, which is before the end of the last, into an update.

    What is written may begin a little earlier.
    """
    wanted = sections[bisect_right(sections, clock, key=_end_of) :]
    structs = len(wanted) - 1
    for index, section in enumerate(wanted):
        structs += section.count
        if index % (4 * STEPS) == 4 * STEPS - 1:
            yield
    start, base, head = wanted[0].start, 0, b""
    if start < clock:
        start, cut_off, head, base, _ = wanted[0].cut(client, clock, exactly=False)
        structs -= cut_off
        yield  # up to 16 KiB of structs were read
    clock = start
    out = bytearray(write_var_uint(structs) + write_var_uint(client) + write_var_uint(clock) + head)
    for index, section in enumerate(wanted):
        if section.start > clock:
            out += bytes((SKIP,)) + write_var_uint(section.start - clock)
        size = len(section.data)
        if size - base < MAX_RUN_BYTES:
            out += memoryview(section.data)[base:] if base else section.data
        else:  # stays where it is
            pieces += [Piece.all_of(out), Piece(section.data, base, size)]
            out = bytearray()
        clock, base = section.end, 0
        if index % STEPS == STEPS - 1:
            yield
    pieces.append(Piece.all_of(out))


def write_ranges(client: int, ranges: RangeSet, pieces: list[Piece]) -> Generator[None, None, None]:
    """Put a client's deleted ranges into a delete set."""
    count = len(ranges)
    out = bytearray(write_var_uint(client) + write_var_uint(count))
    for first in range(0, count, STEPS):
        if first:
            yield
        for start, end in ranges.cut(first, first + STEPS):
            out += write_var_uint(start) + write_var_uint(end - start)
    pieces.append(Piece.all_of(out))
