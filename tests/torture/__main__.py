"""`make torture`, or `python -m tests.torture --seconds 60 --seed 7`; exits 1 where a promise was broken."""

from __future__ import annotations

import asyncio
import shlex
import sys
from dataclasses import asdict

from tests.support.missing import MissingError
from tests.torture.options import Options, parse
from tests.torture.run import torture


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def command_of(options: Options) -> str:
    """What repeats it: the same decisions, though not the same timing."""
    words = ["python", "-m", "tests.torture"]
    for name, value in asdict(options).items():
        words += [f"--{name.replace('_', '-')}", f"{value:g}" if name == "seconds" else str(value)]
    return shlex.join(words)


def main() -> int:
    options = parse()
    say(command_of(options))
    try:
        report = asyncio.run(torture(options, say))
    except MissingError as error:
        say(f"It could not run: {error}")
        return 2
    say("\n" + "\n".join(report.lines()))
    for violation in report.violations:
        say(f"BROKEN: {violation}")
    say("\nEvery promise was kept." if not report.violations else f"\nRepeat with: {command_of(options)}")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
