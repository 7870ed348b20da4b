"""`manage.py verify_rooms`: whether the log of every room is what it should be, and mending it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from accounts.models import Organization
from collab.management.progress import Progress
from collab.mending import Mend, mend_room
from collab.models import Room
from collab.verification import Finding, RoomReport, verify_room

#: Ids of rooms read at a time.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What was wrong with a room, what was done about it, and what still is wrong."""

    found: RoomReport
    mends: tuple[Mend, ...]
    left: RoomReport

    def as_json(self) -> str:
        return json.dumps(
            {
                "room": str(self.found.room_id),
                "findings": [asdict(finding) for finding in self.found.findings],
                "mends": [asdict(mend) for mend in self.mends],
                "left": [asdict(finding) for finding in self.left.findings],
            }
        )

    def as_text(self) -> str:
        lines = [_line("", finding) for finding in self.found.findings]
        lines += [_line("mended: ", mend) for mend in self.mends]
        if self.mends:
            lines += [_line("still: ", finding) for finding in self.left.findings]
        return "\n".join([f"Room {self.found.room_id}", *lines])


@dataclass(slots=True)
class _Summary:
    """All rooms together. A room counts as damaged if it still is."""

    rooms: int = 0
    rows: int = 0
    bytes: int = 0
    damaged_rooms: int = 0
    findings: dict[str, int] = field(default_factory=dict)
    mends: dict[str, int] = field(default_factory=dict)

    def count(self, outcome: _Outcome) -> None:
        self.rooms += 1
        self.rows += outcome.found.rows
        self.bytes += outcome.found.size_bytes
        self.damaged_rooms += outcome.left.is_damaged
        for finding in outcome.found.findings:
            self.findings[finding.kind] = self.findings.get(finding.kind, 0) + 1
        for mend in outcome.mends:
            self.mends[mend.kind] = self.mends.get(mend.kind, 0) + 1

    def as_json(self) -> str:
        return json.dumps({"summary": asdict(self)})

    def as_text(self) -> str:
        lines = [f"{self.rooms} rooms, {self.rows} rows, {self.bytes} bytes; damaged: {self.damaged_rooms}"]
        lines += [f"  found   {count:>6}  {kind}" for kind, count in sorted(self.findings.items())]
        lines += [f"  mended  {count:>6}  {kind}" for kind, count in sorted(self.mends.items())]
        return "\n".join(lines)


class Command(BaseCommand):
    help = "Verify the log of every room, also while servers run. Exit status 1 if a room is damaged."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--organization", type=_uuid, metavar="ID", help="only rooms of this organization"
        )
        parser.add_argument("--room", type=_uuid, nargs="+", metavar="ID", help="only these rooms")
        parser.add_argument("--repair", action="store_true", help="mend what can be mended; no byte is lost")
        parser.add_argument(
            "--json", action="store_true", help="a JSON object a line; the last is the summary"
        )

    def handle(self, *, repair: bool, **options: Any) -> None:
        rooms = _select_rooms(options["organization"], options["room"])
        progress = Progress(self.stderr, rooms.count(), "rooms")
        summary = _Summary()
        for room_id in _ids(rooms):
            progress.advance()
            outcome = _verify(room_id, repair=repair)
            if outcome is None:
                continue
            summary.count(outcome)
            if outcome.found.findings:
                progress.clear()
                self.stdout.write(outcome.as_json() if options["json"] else outcome.as_text())
        progress.clear()
        self.stdout.write(summary.as_json() if options["json"] else summary.as_text())
        if summary.damaged_rooms:
            sys.exit(1)


def _select_rooms(organization_id: UUID | None, room_ids: list[UUID] | None) -> QuerySet[Room]:
    """The rooms asked for.

    Raises:
        CommandError: one of them, or the organization, does not exist; exit status 2.
    """
    rooms = Room.objects.all()
    if organization_id is not None:
        if not Organization.objects.filter(pk=organization_id).exists():
            raise CommandError(f"There is no organization {organization_id}.", returncode=2)
        rooms = rooms.filter(organization=organization_id)
    if room_ids is not None:
        rooms = rooms.filter(pk__in=room_ids)
        missing = set(room_ids) - set(rooms.values_list("pk", flat=True))
        if missing:
            raise CommandError(f"There is no room {', '.join(map(str, sorted(missing)))}.", returncode=2)
    return rooms


def _ids(rooms: QuerySet[Room]) -> Iterator[UUID]:
    """The ids in order, page by page: a query left open would hold one state of the database."""
    ids = rooms.order_by("pk").values_list("pk", flat=True)
    page = list(ids[:_CHUNK])
    while page:
        yield from page
        page = list(ids.filter(pk__gt=page[-1])[:_CHUNK])


def _verify(room_id: UUID, *, repair: bool) -> _Outcome | None:
    """Look at one room, and mend it if it is damaged; none if it is gone."""
    found = left = verify_room(room_id)
    mends: tuple[Mend, ...] = ()
    if found and found.is_damaged and repair:
        mends = mend_room(room_id)
        left = verify_room(room_id)
    return _Outcome(found, mends, left) if found and left else None


def _line(label: str, item: Finding | Mend) -> str:
    numbers = f"{item.first}" if item.first == item.last else f"{item.first}-{item.last}"
    return f"  {label}{item.kind} {numbers}: {item.detail}"


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise ArgumentTypeError("expected an id like 6a1f…") from None
