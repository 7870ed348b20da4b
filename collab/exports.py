"""An audit trail as a file, oldest first: CSV for spreadsheets, JSON lines for programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from io import StringIO

from django.db.models import QuerySet

from accounts.models import AuditEntry
from collab.trails import DescribedEntry, described

#: Entries in memory at a time.
BATCH = 500

#: A cell that begins so may be taken for a formula, and what people call themselves is in these files.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

COLUMNS = (
    "id",
    "number",
    "created_at",
    "action",
    "actor_id",
    "actor_email",
    "actor_name",
    "room_id",
    "room_name",
    "subject_id",
    "subject_name",
    "details",
    "address",
    "user_agent",
    "digest",
)


class ExportFormat(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"

    @property
    def media_type(self) -> str:
        return "text/csv" if self is ExportFormat.CSV else "application/x-ndjson"


def exported(kind: ExportFormat, read: Callable[[], QuerySet[AuditEntry]]) -> Iterator[str]:
    """The text of the file, part by part.

    Args:
        read: gives the entries to be exported; called for each batch, so that it can ask for the right to
            them again, and what it raises ends the file.
    """
    if kind is ExportFormat.CSV:
        yield _csv_text([COLUMNS])
    number = 0
    while True:
        entries = list(read().filter(number__gt=number).order_by("number")[:BATCH])
        if entries:
            yield _text(kind, described(entries))
            number = entries[-1].number
        if len(entries) < BATCH:
            return


def _text(kind: ExportFormat, entries: list[DescribedEntry]) -> str:
    if kind is ExportFormat.CSV:
        return _csv_text([_cells(entry) for entry in entries])
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)


def _cells(entry: DescribedEntry) -> list[str]:
    actor, room = entry["actor"], entry["room"]
    values = (
        entry["id"],
        entry["number"],
        entry["created_at"],
        entry["action"],
        actor and actor["id"],
        actor and actor["email"],
        actor and actor["name"],
        room and room["id"],
        room and room["name"],
        entry["subject_id"],
        entry["subject_name"],
        json.dumps(entry["details"], ensure_ascii=False, sort_keys=True),
        entry["address"],
        entry["user_agent"],
        entry["digest"],
    )
    return ["" if value is None else _inert(str(value)) for value in values]


def _inert(cell: str) -> str:
    """A cell that no spreadsheet computes: an apostrophe in front says that it is text."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def _csv_text(rows: Sequence[Sequence[str]]) -> str:
    out = StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
