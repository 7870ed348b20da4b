"""`manage.py compact_rooms`: take the garbage out of stored rooms, also while servers run."""

from __future__ import annotations

import asyncio
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser

from collab.compaction import Outcome, compact_rooms, rooms_worth_compacting
from collab.management.progress import Progress
from collab.sandbox import Sandbox


@dataclass(slots=True)
class _Summary:
    """All rooms together."""

    rooms: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    kept: Counter[str] = field(default_factory=Counter)

    def count(self, outcome: Outcome) -> None:
        self.rooms += 1
        self.bytes_before += outcome.bytes_before
        self.bytes_after += outcome.bytes_after
        if outcome.kept_because is not None:
            self.kept[outcome.kept_because] += 1

    def as_text(self, *, is_dry_run: bool) -> str:
        note = "; nothing was written" if is_dry_run else ""
        lines = [f"{self.rooms} rooms, {self.bytes_before} → {self.bytes_after} bytes{note}"]
        if self.kept:
            lines.append(f"Garbage was not collected in {self.kept.total()}:")
        lines += [f"  {count:>6}  {reason}" for reason, count in self.kept.most_common()]
        return "\n".join(lines)


class Command(BaseCommand):
    help = "Compact the stored rooms that are worth it, also while servers run. May be interrupted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--organization", type=_uuid, metavar="ID", help="only rooms of this organization"
        )
        parser.add_argument("--room", type=_uuid, nargs="+", metavar="ID", help="only these rooms")
        parser.add_argument("--dry-run", action="store_true", help="do everything but write")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        room_ids = rooms_worth_compacting(options["organization"], options["room"])
        progress = Progress(self.stderr, len(room_ids), "rooms")
        summary = _Summary()
        try:
            with _sandbox() as (sandbox, runner):
                for outcome in compact_rooms(room_ids, sandbox, runner, is_dry_run=dry_run):
                    summary.count(outcome)
                    progress.advance()
                    if options["verbosity"] > 1:
                        progress.clear()
                        self.stdout.write(_line(outcome))
        except KeyboardInterrupt:
            progress.clear()
            self.stdout.write(f"Interrupted; {len(room_ids) - summary.rooms} rooms were left as they are.")
        progress.clear()
        self.stdout.write(summary.as_text(is_dry_run=dry_run))


@contextmanager
def _sandbox() -> Iterator[tuple[Sandbox, asyncio.Runner]]:
    """A sandbox, and the runner of its event loop."""
    with asyncio.Runner() as runner:
        sandbox = Sandbox()
        try:
            yield sandbox, runner
        finally:
            runner.run(sandbox.close())


def _line(outcome: Outcome) -> str:
    reason = f"  {outcome.kept_because}" if outcome.kept_because else ""
    return f"{outcome.room_id}  {outcome.bytes_before} → {outcome.bytes_after} bytes{reason}"


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise ArgumentTypeError("expected an id like 6a1f…") from None
