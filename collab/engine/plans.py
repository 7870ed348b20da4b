"""What a long update changes in a document, worked out in slices before any of it is changed.

A document is changed at once or not at all: nobody sees half an update. An update of thousands of clients,
gaps or deleted ranges takes longer than the event loop may stand still. So what each client's sections
and deleted ranges will be is put together beside the document, and then takes their place. What others
write meanwhile is noted, and those clients are looked at again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence

from collab.engine.gate import MAX_RUN_BYTES, ParsedUpdate, Run
from collab.engine.leaves import as_leaf
from collab.engine.ranges import RangeSet, growth
from collab.engine.sections import SECTION_BYTES, STEPS, Section, lay, overlap

#: Runs that are laid between two yields: a megabyte at most, or one long struct.
RUNS = 64
_NO_SECTIONS: list[Section] = []
_NOTHING_DELETED = RangeSet()


class Plan:
    """What the document holds after the update, where that is not what it holds now.

    Attributes:
        sections: for each client all its sections.
        tails: for each client what is laid behind its last section, which is long.
        deletes: for each client all its deleted ranges.
        known: the clocks up to which all of each client in `sections` is there, if there is no gap before.
        changed: clients that were written to since they were looked at; the document notes them here.
    """

    def __init__(
        self,
        update: ParsedUpdate,
        sections: Mapping[int, list[Section]],
        deletes: Mapping[int, RangeSet],
    ) -> None:
        self.sections: dict[int, list[Section]] = {}
        self.tails: dict[int, list[Section]] = {}
        self.deletes: dict[int, RangeSet] = {}
        self.known: dict[int, int] = {}
        self.changed: set[int] = set()
        self._section_bytes: dict[int, int] = {}
        self._range_bytes: dict[int, int] = {}
        self.grown_bytes = 0
        self._laid = 0
        self._replaced: list[list[Section]] = []
        self._is_begun = False
        self._update = update
        self._known_sections = sections
        self._known_deletes = deletes

    @property
    def is_new(self) -> bool:
        """Whether the update brings anything new."""
        return bool(self.sections or self.tails or self.deletes)

    def work(self) -> Generator[None, None, None]:
        """Work everything out, and when called again what was changed since; to be driven to its end."""
        if not self._is_begun:
            self._is_begun = True
            yield from self._plan(self._update.runs, self._update.deletes)
        else:
            changed = list(self.changed)
            self.changed.clear()
            yield from self._plan(changed, changed)

    def replaces(self, clients: Mapping[int, list[Section]]) -> None:
        """Note what is about to be replaced: to free 100,000 sections takes milliseconds."""
        known = [clients[client] for client in self.sections if client in clients]
        self._replaced = [sections for sections in known if len(sections) > STEPS]

    def let_go(self) -> Generator[None, None, None]:
        """Free what was replaced, when the plan has been carried out; others hold what they need of it."""
        for sections in self._replaced:
            while sections:
                del sections[-STEPS:]
                yield

    def _plan(self, writers: Iterable[int], deleters: Iterable[int]) -> Generator[None, None, None]:
        steps = 0
        for client in writers:
            if runs := self._update.runs.get(client):
                yield from self._plan_sections(client, runs)
                steps += 1
                if steps % STEPS == 0:
                    yield
        for client in deleters:
            if ranges := self._update.deletes.get(client):
                yield from self._plan_deletes(client, ranges)
                steps += 1
                if steps % STEPS == 0:
                    yield

    def _plan_sections(self, client: int, runs: Sequence[Run]) -> Generator[None, None, None]:
        known = self._known_sections.get(client, _NO_SECTIONS)
        self.sections.pop(client, None)
        self.tails.pop(client, None)
        self.known.pop(client, None)
        self.grown_bytes -= self._section_bytes.pop(client, 0)
        laid: list[Section] = []
        if known and known[-1].end > runs[0].start:
            found = yield from overlap(client, known, runs, keeps=True)
            if not found.is_new:
                return
            laid, grown = [*known[: found.first], *found.laid, *known[found.stop :]], found.grown
            self.sections[client] = as_leaf(laid)
        else:
            is_tail = bool(known) and len(known[-1].data) >= MAX_RUN_BYTES
            if known and not is_tail:
                laid = [*known[:-1], known[-1].copy()]
            grown = 0
            for run in runs:
                grown += lay(laid, run)
                self._laid += 1
                if self._laid % RUNS == 0:
                    yield
            if is_tail and known[-1].end == laid[0].start:
                grown -= SECTION_BYTES
            (self.tails if is_tail else self.sections)[client] = as_leaf(laid)
        if client in self.sections and not laid[0].start:
            self.known[client] = laid[0].end
        self._section_bytes[client] = grown
        self.grown_bytes += grown

    def _plan_deletes(self, client: int, ranges: Sequence[tuple[int, int]]) -> Generator[None, None, None]:
        known = self._known_deletes.get(client, _NOTHING_DELETED)
        self.deletes.pop(client, None)
        self.grown_bytes -= self._range_bytes.pop(client, 0)
        deleted = yield from known.with_all(ranges)
        if deleted is not None:
            self.deletes[client] = deleted
            grown = self._range_bytes[client] = growth(len(known), len(deleted))
            self.grown_bytes += grown
