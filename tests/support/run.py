"""Every test, on every database: `make test`.

1. All tests but those end to end on SQLite, with the in-process channel layer where a test does not start
   Redis itself; beside it, and shown behind it, those that talk to the database on a PostgreSQL of their own.
2. End to end: real servers and clients; beside it the page in windows of a real browser, real providers of
   every version, and what breaks at once or for a while.

The last lines repeat how each run ended and name each group of tests that could not run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from tests.support.missing import COULD_NOT_RUN, MissingError, is_everything_required
from tests.support.postgres import running_postgres

ROOT = Path(__file__).resolve().parent.parent.parent
#: The tables of `tests/permissions` say nothing that these don't: a thousand rows are tried once.
DATABASE_TESTS = ("tests/accounts", "tests/api", "tests/collab")
E2E = "tests/e2e"
PROVIDERS = "tests/e2e/test_compatibility.py"
FAULTS = tuple(
    f"tests/e2e/test_{name}.py"
    for name in ("database_faults", "process_faults", "redis_faults", "outages", "lost_messages", "torture")
)
BROWSER = "tests/browser"
NO_TESTS_COLLECTED = 5
COLOR = re.compile(r"\x1b\[[\d;]*m")
CLOSING_LINE = re.compile(r"(\d+ \w+,? ?)+ in [\d.]+s|no tests ran")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Run:
    """One run of pytest: its exit status, its closing line, and what it could not run.

    Args:
        out: where its output goes, as it comes.
    """

    def __init__(self, title: str, paths: list[str], out: BinaryIO, **variables: str) -> None:
        self.title = title
        self.closing_line = "did not finish"
        self.could_not_run: list[str] = []
        self._out = out
        out.write(f"\n# {title}\n".encode())
        out.flush()
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
            self._out.write(chunk)
            self._out.flush()
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


Outcome = Run | MissingError


def run_on_sqlite(title: str, *options: str, out: BinaryIO = sys.stdout.buffer) -> Run:
    return Run(title, list(options), out, DATABASE_URL="sqlite://:memory:", REDIS_URL="")


def run_on_postgres(out: BinaryIO) -> Outcome:
    paths = [path for path in DATABASE_TESTS if (ROOT / path).is_dir()]
    try:
        with running_postgres() as server:
            return Run("PostgreSQL", paths, out, DATABASE_URL=server.url(), REDIS_URL="")
    except MissingError as error:
        return error


def run_browser(out: BinaryIO) -> Outcome:
    return run_on_sqlite("In the browser", BROWSER, out=out)


def run_providers(out: BinaryIO) -> Outcome:
    return run_on_sqlite("Real providers", PROVIDERS, out=out)


def run_faults(out: BinaryIO) -> Outcome:
    return run_on_sqlite("Faults", *FAULTS, out=out)


def side_by_side(first: Callable[[], Outcome], *others: Callable[[BinaryIO], Outcome]) -> Iterator[Outcome]:
    """The first is shown as it goes on; the others, one after the other beside it, when it has ended."""
    with ThreadPoolExecutor(1) as beside, TemporaryFile() as shown_later:
        outcomes = beside.submit(lambda: [run(shown_later) for run in others])
        yield first()
        ended = outcomes.result()
        shown_later.seek(0)
        shutil.copyfileobj(shown_later, sys.stdout.buffer)
        yield from ended


def run_all() -> Iterator[Outcome]:
    """What waits for no clock keeps both cores busy; real servers and clients wait for each other a lot."""
    yield from side_by_side(
        lambda: run_on_sqlite("SQLite", f"--ignore={E2E}", f"--ignore={BROWSER}"), run_on_postgres
    )
    apart = [f"--ignore={path}" for path in (PROVIDERS, *FAULTS)]
    yield from side_by_side(
        lambda: run_on_sqlite("End to end", E2E, *apart), run_browser, run_providers, run_faults
    )


def main() -> int:
    is_good = True
    lines: list[str] = []
    for outcome in run_all():
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
