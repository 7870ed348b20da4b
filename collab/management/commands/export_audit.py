"""`manage.py export_audit`: the audit trail of one organization as a file, also of one that was deleted."""

from __future__ import annotations

from argparse import ArgumentTypeError
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from collab.exports import ExportFormat, exported
from collab.trails import trail_of


class Command(BaseCommand):
    help = "Write the audit trail of an organization, oldest first, to a file or to standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", type=_uuid, metavar="ID", required=True)
        parser.add_argument("--format", choices=[kind.value for kind in ExportFormat], default="jsonl")
        parser.add_argument("--output", type=Path, metavar="FILE", help="must not be there yet")

    def handle(self, *, organization: UUID, output: Path | None, **options: Any) -> None:
        trail = partial(trail_of, organization)
        if not trail().exists():
            raise CommandError(f"There is no trail of an organization {organization}.", returncode=2)
        parts = exported(ExportFormat(options["format"]), trail)
        if output is None:
            for part in parts:
                self.stdout.write(part, ending="")
            return
        try:
            with output.open("x", encoding="utf-8", newline="") as file:
                file.writelines(parts)
        except OSError as error:
            raise CommandError(f"{output} can't be written: {error}", returncode=2) from error


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise ArgumentTypeError("expected an id like 6a1f…") from None
