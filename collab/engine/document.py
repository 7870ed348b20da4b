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
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from collab.engine.encoding import write_var_uint
from collab.engine.entries import Entries, write_entry
from collab.engine.gate import ParsedUpdate, Run, parse_update
from collab.engine.leaves import as_leaf
from collab.engine.pieces import Data, DataT, LongBytes, Piece
from collab.engine.plans import Plan
from collab.engine.ranges import MANY, RangeSet, growth
from collab.engine.readings import Reading, write_ranges, write_sections
from collab.engine.sections import STEPS, Section, lay, overlap, start_of
from collab.engine.structs import finish

EMPTY_UPDATE = b"\x00\x00"
#: From this size on a document is encoded in slices for those who ask.
LONG_BYTES = 128 * 1024
_NOTHING_DELETED = RangeSet()


class Document:
    """Everything that is known of one document; grows by updates that passed the gate."""

    def __init__(self) -> None:
        self._clients: dict[int, list[Section]] = {}
        self._deletes: dict[int, RangeSet] = {}
        self._encoded: bytes | None = None
        self._whole: LongBytes | None = None
        self._encoded_deletes: bytes | None = None
        self._differences: dict[bytes, Data] = {}
        self._known: dict[int, int] = {}  # what `state_vector` says
        self._entries: Entries | None = None  # of `_known`, if it is long and anybody asked for it
        self._watchers: list[set[int]] = []  # each is told which clients are written to
        self.size_bytes = 0
        self.is_reencodable = True

    @property
    def is_empty(self) -> bool:
        return not self._clients and not self._deletes

    @property
    def has_gaps(self) -> bool:
        """Whether structs are missing before some that are known."""
        return any(len(sections) > 1 or sections[0].start for sections in self._clients.values())

    def contains(self, update: ParsedUpdate, plan: Plan | None = None) -> bool:
        """Whether the update brings nothing new, neither structs nor deletions."""
        if plan is not None and self._is_up_to_date(plan):
            return not plan.is_new
        for client, runs in update.runs.items():
            sections = self._clients.get(client, [])
            for run in runs:
                place = bisect_right(sections, run.start, key=start_of)
                if not place or not sections[place - 1].holds(run):
                    return False
        for client, ranges in update.deletes.items():
            deleted = self._deletes.get(client, _NOTHING_DELETED)
            if not all(deleted.covers(start, end) for start, end in ranges):
                return False
        return True

    def take_in(self, update: ParsedUpdate, plan: Plan | None = None) -> bool:
        """Add what is new of the update; tell whether anything was.

        Args:
            plan: of this update; saves most of the work. It is spent after this.
        """
        if plan is not None and self._is_up_to_date(plan):
            is_new = self._carry_out(plan)
        else:
            is_new = self._take_in(update)
        if is_new:
            self._encoded = self._whole = None
            self._differences.clear()
            self.is_reencodable = self.is_reencodable and update.is_reencodable
            if self._entries is not None:
                self._entries.changed(self._known.keys() & update.runs.keys())
            for changed in self._watchers:
                changed.update(update.runs, update.deletes)
        return is_new

    def _take_in(self, update: ParsedUpdate) -> bool:
        is_new = False
        for client, runs in update.runs.items():
            if runs:
                sections = self._clients.get(client)
                if sections is None:
                    sections = self._clients[client] = as_leaf([])
                is_new |= self._take_in_runs(client, sections, runs)
                if not sections[0].start:
                    self._known[client] = sections[0].end
        for client, ranges in update.deletes.items():
            if ranges:
                is_new |= self._take_in_deletes(self._deletes.setdefault(client, RangeSet()), ranges)
        return is_new

    @contextmanager
    def planning(self, update: ParsedUpdate) -> Iterator[Plan]:
        """A plan to take the update in, which is told of changes as long as the context is open."""
        plan = Plan(update, self._clients, self._deletes)
        with self._watching(plan.changed):
            yield plan

    def _is_up_to_date(self, plan: Plan) -> bool:
        return not plan.changed and any(changed is plan.changed for changed in self._watchers)

    def _carry_out(self, plan: Plan) -> bool:
        is_first = not self._clients and self._entries is None and len(self._watchers) == 1
        if is_first:  # nobody else looks at the empty ones
            self._clients, self._known = plan.sections, plan.known
        else:
            plan.replaces(self._clients)
            self._clients.update(plan.sections)
            self._known.update(plan.known)
        for client, laid in plan.tails.items():
            sections = self._clients[client]
            if sections[-1].end == laid[0].start:
                sections[-1].append(laid.pop(0))
            sections += laid
            if not sections[0].start:
                self._known[client] = sections[0].end
        self._deletes.update(plan.deletes)
        if plan.deletes:
            self._encoded_deletes = None
        self.size_bytes += plan.grown_bytes
        return plan.is_new

    def _take_in_deletes(self, deleted: RangeSet, ranges: list[tuple[int, int]]) -> bool:
        before = len(deleted)
        is_new = deleted.add_all(ranges)
        self.size_bytes += growth(before, len(deleted))
        if is_new:
            self._encoded_deletes = None
        return is_new

    def _take_in_runs(self, client: int, sections: list[Section], runs: list[Run]) -> bool:
        if not sections or sections[-1].end <= runs[0].start:  # by far the most common: the client went on
            for run in runs:
                self.size_bytes += lay(sections, run)
            return True
        if len(runs) >= MANY:
            return self._take_in_overlap(client, sections, runs)
        news = [self._take_in_overlap(client, sections, [run]) for run in runs]
        return any(news)

    def _take_in_overlap(self, client: int, sections: list[Section], runs: Sequence[Run]) -> bool:
        done = finish(overlap(client, sections, runs))
        sections[done.first : done.stop] = done.laid
        self.size_bytes += done.grown
        return done.is_new

    def let_go(self) -> Generator[None, None, None]:
        """Empty a document that nobody writes to any more; to free it at once takes as long as it is long.

        Bytes that were given out stay. It stays, too, where somebody still reads it.
        """
        if self._watchers:
            return
        clients, self._clients, self._known = self._clients, {}, {}
        deletes, self._deletes = self._deletes, {}
        while clients:
            for _ in range(min(len(clients), STEPS)):
                _, sections = clients.popitem()
                while len(sections) > STEPS:
                    del sections[-STEPS:]
                    yield
            yield
        while deletes:
            for _ in range(min(len(deletes), STEPS)):
                deletes.popitem()
            yield

    def state_vector(self) -> dict[int, int]:
        """Client → the clock up to which everything of it is known; clients with a gap at 0 are absent."""
        return self._known.copy()

    @property
    def client_count(self) -> int:
        return len(self._clients)

    @property
    def first_clocks(self) -> dict[int, int]:
        """For each client the lowest clock there is of it."""
        return {client: sections[0].start for client, sections in self._clients.items()}

    def encoded_state_vector(self) -> bytes:
        return encode_state_vector(self._known)

    def question(self) -> bytes:
        """The state vector in an order that costs least; its clients are encoded once, not each time."""
        if not self.has_many_clients:
            return self.encoded_state_vector()
        finish(self.write_entries())
        assert self._entries is not None
        return self._entries.state_vector()

    @property
    def has_many_clients(self) -> bool:
        """Whether a state vector takes long to encode."""
        return len(self._known) >= MANY

    def write_entries(self) -> Generator[None, None, None]:
        """Do most of the work of the next `question()`."""
        if not self.has_many_clients:
            return
        if self._entries is None:
            self._entries = Entries(self._known)
        yield from self._entries.write()

    def encode(self) -> bytes:
        """The whole document as one update; kept until something new comes."""
        if self._encoded is None:
            self._encoded = self._encode({})
        return self._encoded

    def difference(self, known: Mapping[int, int]) -> bytes:
        """What someone with the state vector `known` may not have, as one update.

        Deletions are always all included: a state vector says nothing about them.
        """
        known = {client: clock for client, clock in known.items() if clock and client in self._clients}
        if not known:
            return self.encode()
        key = encode_state_vector(known)
        found = self._differences.get(key)
        return bytes(found) if found is not None else self._keep(key, self._encode(known))

    def _encode(self, known: Mapping[int, int]) -> bytes:
        pieces: list[Piece] = []
        count = 0
        for client in sorted(self._clients, reverse=True):  # as Yjs writes them
            sections, clock = self._clients[client], known.get(client, 0)
            if clock < sections[-1].end:
                finish(write_sections(client, sections, clock, pieces))
                count += 1
        head, deletes = Piece.all_of(write_var_uint(count)), Piece.all_of(self.encoded_deletes())
        return bytes(LongBytes([head, *pieces, deletes]))

    @property
    def is_long(self) -> bool:
        """Whether it takes long to encode, beside the time to copy its bytes."""
        return self.size_bytes > LONG_BYTES

    @contextmanager
    def reading(self, known: Mapping[int, int]) -> Iterator[Reading]:
        """A reading of what is not `known`, which is told of changes as long as the context is open."""
        reading = Reading(self._clients, self._deletes, known, lambda: self._encoded_deletes)
        with self._watching(reading.changed):
            yield reading

    def read(self, reading: Reading, known: Mapping[int, int]) -> LongBytes:
        """As `difference`, from a reading, which saves most of the work."""
        while reading.changed:
            finish(reading.work())
        self._encoded_deletes = reading.deletes()
        update = reading.update(self._encoded_deletes)
        if not known:
            self._whole = update
        elif len(known) < MANY:
            self._keep(encode_state_vector(known), update)
        return update

    def find_difference(self, known: Mapping[int, int]) -> Data | None:
        """The difference if it was encoded already."""
        if not known:
            return self._whole or self._encoded
        return self._differences.get(encode_state_vector(known)) if len(known) < MANY else None

    def _keep(self, key: bytes, difference: DataT) -> DataT:
        if len(self._differences) >= 8:
            self._differences.clear()
        self._differences[key] = difference
        return difference

    @contextmanager
    def _watching(self, changed: set[int]) -> Iterator[None]:
        self._watchers.append(changed)
        try:
            yield
        finally:
            self._watchers = [other for other in self._watchers if other is not changed]

    def encoded_deletes(self) -> bytes:
        """The delete set as it stands at the end of an update; kept until something more is deleted."""
        if self._encoded_deletes is None:
            self._encoded_deletes = self._encode_deletes()
        return self._encoded_deletes

    def _encode_deletes(self) -> bytes:
        pieces = [Piece.all_of(write_var_uint(len(self._deletes)))]
        for client in sorted(self._deletes, reverse=True):
            finish(write_ranges(client, self._deletes[client], pieces))
        return bytes(LongBytes(pieces))


def encode_state_vector(clocks: Mapping[int, int]) -> bytes:
    out = bytearray(write_var_uint(len(clocks)))
    for client in sorted(clocks, reverse=True):
        out += write_entry(client, clocks[client])
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
