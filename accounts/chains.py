"""Whether audit trails are what was written. Nothing here writes, and nothing here locks.

    entries, numbered from 1 without a hole, each with a digest of itself and of the one before
    the end: number and digest of the last entry

Who can write to the database can also compute digests: they may cut off a whole tail with the end, or write
a trail anew, and nothing in the database shows it. An end that was kept elsewhere does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from django.db.models import Exists, Max, OuterRef, Subquery, Sum

from accounts.audit import digest_of
from accounts.models import AuditChain, AuditEntry

#: Entries, or ids of organizations, in memory at a time.
_CHUNK = 1000


class FindingKind(StrEnum):
    """What can be wrong with a trail."""

    HOLE = "hole"
    CHANGED = "changed"
    CUT_OFF = "cut_off"
    END_MISSING = "end_missing"
    END_BEHIND = "end_behind"
    END_WRONG = "end_wrong"
    NOT_AS_KEPT = "not_as_kept"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the entries `first` to `last`, both included."""

    kind: FindingKind
    first: int
    last: int
    detail: str

    def __str__(self) -> str:
        numbers = f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.kind} {numbers}: {self.detail}"


@dataclass(frozen=True, slots=True)
class KeptEnd:
    """An end as it was printed some time ago. `number`: none if only the digest was kept."""

    number: int | None
    digest: str


class _End(NamedTuple):
    """What the end says, and the number of the last entry in the same moment."""

    number: int
    digest: str
    last: int | None


@dataclass(slots=True)
class Walk:
    """A walk along one trail, which may grow meanwhile. `number` and `digest` are where it is."""

    organization_id: UUID
    number: int = 0
    digest: str = ""
    _is_linked: bool = True

    def findings(
        self, kept: Collection[KeptEnd] = (), advance: Callable[[int], None] = lambda count: None
    ) -> Iterator[Finding]:
        """Everything that is wrong.

        Args:
            kept: ends that the trail had, and which it must have come by.
            advance: told how many more entries were looked at.
        """
        by_number = {end.number: end.digest for end in kept if end.number}
        unseen = {end.digest for end in kept if end.number is None}
        last = -1
        while True:
            while entries := self._entries_after(last):
                for entry in entries:
                    yield from self._take(entry)
                    unseen.discard(entry.digest)
                    if by_number.pop(entry.number, entry.digest) != entry.digest:
                        yield self._not_as_kept(
                            entry.number, "Its digest was another one: it was written anew."
                        )
                last = entries[-1].number
                advance(len(entries))
            end = self._end()
            if end is None or end.last is None or end.last <= last:  # else there were more meanwhile
                break
        yield from self._compare(end)
        for number in sorted(by_number):
            yield self._not_as_kept(number, "The trail has been longer: its tail was cut off.")
        for digest in sorted(unseen):
            yield self._not_as_kept(self.number, f"It never came by {digest}: cut off, or written anew.")

    def _entries_after(self, number: int) -> list[AuditEntry]:
        entries = AuditEntry.objects.filter(organization_id=self.organization_id, number__gt=number)
        return list(entries.order_by("number")[:_CHUNK])

    def _take(self, entry: AuditEntry) -> Iterator[Finding]:
        if entry.number == 0:
            yield Finding(FindingKind.CHANGED, 0, 0, "Entries are numbered from 1.")
            return
        if entry.number > self.number + 1:
            yield Finding(FindingKind.HOLE, self.number + 1, entry.number - 1, "The entries are missing.")
            self._is_linked = False  # what stood before it is not known any more
        if self._is_linked and digest_of(entry, self.digest) != entry.digest:
            detail = "Its digest is not that of what it says and of the entry before."
            yield Finding(FindingKind.CHANGED, entry.number, entry.number, detail)
        self.number, self.digest, self._is_linked = entry.number, entry.digest, True

    def _end(self) -> _End | None:
        newest = AuditEntry.objects.filter(organization_id=OuterRef("pk")).order_by("-number")
        chains = AuditChain.objects.filter(pk=self.organization_id)
        row = chains.values_list("number", "digest", Subquery(newest.values("number")[:1])).first()
        return None if row is None else _End(*row)

    def _compare(self, end: _End | None) -> Iterator[Finding]:
        if end is None:
            if self.number:
                yield Finding(FindingKind.END_MISSING, self.number, self.number, "The trail has no end.")
        elif end.number > self.number:
            yield Finding(FindingKind.CUT_OFF, self.number + 1, end.number, "The last entries are missing.")
        elif end.number < self.number:
            detail = f"The end says {end.number}."
            yield Finding(FindingKind.END_BEHIND, end.number + 1, self.number, detail)
        elif end.digest != self.digest:
            detail = "The end has another digest than the last entry."
            yield Finding(FindingKind.END_WRONG, self.number, self.number, detail)

    def _not_as_kept(self, number: int, detail: str) -> Finding:
        return Finding(FindingKind.NOT_AS_KEPT, number, number, detail)


def organizations_with_trails() -> Iterator[UUID]:
    """The organizations, deleted ones too, that have entries or an end."""
    ends = AuditChain.objects.order_by("pk").values_list("pk", flat=True)
    page = list(ends[:_CHUNK])
    while page:
        yield from page
        page = list(ends.filter(pk__gt=page[-1])[:_CHUNK])
    has_end = Exists(AuditChain.objects.filter(pk=OuterRef("organization_id")))
    yield from (
        AuditEntry.objects.exclude(has_end).order_by().values_list("organization_id", flat=True).distinct()
    )


def count_entries(organization_id: UUID | None) -> int:
    """How many entries there should be, in one trail or in all."""
    if organization_id is None:
        return AuditChain.objects.aggregate(total=Sum("number"))["total"] or 0
    return AuditChain.objects.filter(pk=organization_id).aggregate(total=Max("number"))["total"] or 0
