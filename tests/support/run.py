"""Every test, on every database: `make test`.

1. All tests on SQLite, with the in-process channel layer where a test does not start Redis itself.
2. The tests that talk to the database once more, on a PostgreSQL started for it.

The last lines repeat how each run ended and name each group of tests that could not run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.missing import COULD_NOT_RUN, MissingError, is_everything_required
from tests.support.postgres import running_postgres

ROOT = Path(__file__).resolve().parent.parent.parent
DATABASE_TESTS = ("tests/accounts", "tests/api", "tests/permissions", "tests/collab")
NO_TESTS_COLLECTED = 5
COLOR = re.compile(r"\x1b\[[\d;]*m")
CLOSING_LINE = re.compile(r"(\d+ \w+,? ?)+ in [\d.]+s|no tests ran")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Run:
    """One run of pytest: its exit status, its closing line, and what it could not run."""

    def __init__(self, title: str, paths: list[str], **variables: str) -> None:
        self.title = title
        self.closing_line = "did not finish"
        self.could_not_run: list[str] = []
        say(f"\n# {title}")
        color = "yes" if sys.stdout.isatty() else "no"
        command = [sys.executable, "-m", "pytest", f"--color={color}", *sys.argv[1:], *paths]
        with subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **variables}, stdout=subprocess.PIPE
        ) as process:
            self._show(process)
        self.status = process.returncode

    def _show(self, process: subprocess.Popen[bytes]) -> None:
        """Pass the output on as it comes (progress has no line ends), and remember lines that matter."""
        assert process.stdout is not None
        line = b""
        while chunk := process.stdout.read1():  # type: ignore[attr-defined]
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            *complete, line = (line + chunk).split(b"\n")
            for content in complete:
                self._remember(content.decode(errors="replace"))

    def _remember(self, line: str) -> None:
        plain = COLOR.sub("", line).strip("= ")
        if plain.startswith(COULD_NOT_RUN):
            self.could_not_run.append(plain)
        elif CLOSING_LINE.match(plain):
            self.closing_line = plain

    @property
    def is_good(self) -> bool:
        return self.status == 0 or (self.status == NO_TESTS_COLLECTED and bool(sys.argv[1:]))


def run_on_sqlite() -> Run:
    return Run("SQLite", [], DATABASE_URL="sqlite://:memory:", REDIS_URL="")


def run_on_postgres() -> Run | MissingError:
    paths = [path for path in DATABASE_TESTS if (ROOT / path).is_dir()]
    try:
        with running_postgres() as server:
            return Run("PostgreSQL", paths, DATABASE_URL=server.url(), REDIS_URL="")
    except MissingError as error:
        return error


def main() -> int:
    is_good = True
    lines: list[str] = []
    for outcome in (run_on_sqlite(), run_on_postgres()):
        if isinstance(outcome, MissingError):
            lines.append(f"{COULD_NOT_RUN}the database tests on PostgreSQL: {outcome}")
            is_good = is_good and not is_everything_required()
        else:
            lines += [f"{outcome.title}: {outcome.closing_line}", *outcome.could_not_run]
            is_good = is_good and outcome.is_good
    say("\n" + "\n".join(lines))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
