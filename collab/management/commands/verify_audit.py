"""`manage.py verify_audit`: whether every audit trail is what was written, and still the one it was."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.chains import KeptEnd, Walk, count_entries, organizations_with_trails
from collab.management.progress import Progress

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Command(BaseCommand):
    help = (
        "Verify every audit trail, also while servers run, and print the end of each: "
        "organization, number, digest. Keep that where nobody who can write to the database can write, and "
        "give it back with --expect: only so a tail that was cut off, or a trail written anew, shows. "
        "Exit status 1 if anything is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", type=_uuid, metavar="ID", help="only the trail of this one")
        parser.add_argument(
            "--expect",
            metavar="DIGEST|FILE",
            help="the digest of an earlier end, with --organization; or a file that this command has printed",
        )

    def handle(self, *, organization: UUID | None, expect: str | None, **options: Any) -> None:
        kept = {} if expect is None else _kept(expect, organization)
        progress = Progress(self.stderr, count_entries(organization), "entries")
        trails = entries = damaged = 0
        for walk in _walks(organization, set(kept)):
            is_damaged = False
            for finding in walk.findings(kept.get(walk.organization_id, ()), progress.advance):
                progress.clear()
                is_damaged = True
                self.stdout.write(f"# {walk.organization_id} {finding}")
            progress.clear()
            if walk.number:
                mark = "# " if is_damaged else ""
                self.stdout.write(f"{mark}{walk.organization_id} {walk.number} {walk.digest}")
            trails, entries, damaged = trails + 1, entries + walk.number, damaged + is_damaged
        self.stdout.write(f"# {trails} trails, {entries} entries; damaged: {damaged}")
        if damaged:
            sys.exit(1)


def _walks(organization_id: UUID | None, kept: set[UUID]) -> Iterator[Walk]:
    """One for each trail there is, and for each that there was."""
    if organization_id is not None:
        yield Walk(organization_id)
        return
    for each in organizations_with_trails():
        kept.discard(each)
        yield Walk(each)
    for each in sorted(kept):
        yield Walk(each)


def _kept(expect: str, organization_id: UUID | None) -> dict[UUID, list[KeptEnd]]:
    """The ends that somebody kept.

    Raises:
        CommandError: they can't be read; exit status 2.
    """
    if _DIGEST.fullmatch(expect):
        if organization_id is None:
            raise CommandError("A digest alone needs --organization.", returncode=2)
        return {organization_id: [KeptEnd(None, expect)]}
    try:
        return _read(Path(expect).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{expect} can't be read: {error}", returncode=2) from error


def _read(text: str) -> dict[UUID, list[KeptEnd]]:
    kept = defaultdict(list)
    for line in text.splitlines():
        match line.split():
            case [] | ["#", *_]:
                continue
            case [organization_id, number, digest] if number.isdecimal() and _DIGEST.fullmatch(digest):
                kept[_kept_id(organization_id, line)].append(KeptEnd(int(number), digest))
            case _:
                raise _not_an_end(line)
    return kept


def _kept_id(value: str, line: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise _not_an_end(line) from None


def _not_an_end(line: str) -> CommandError:
    return CommandError(f"Not an organization, a number and a digest: {line[:200]}", returncode=2)


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise ArgumentTypeError("expected an id like 6a1f…") from None
