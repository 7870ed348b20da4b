"""What is to be run."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scenarios.catalogue import SCENARIOS
from benchmarks.servers.catalogue import SERVERS

#: What `--quick` compares with, where no server is named: the fastest peers.
QUICK_SERVERS = ("gatehouse", "y-websocket", "hocuspocus", "gatehouse-postgres", "gatehouse-pair")
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Options:
    """Names of scenarios and servers, rounds, and whether everything is small."""

    scenarios: tuple[str, ...]
    servers: tuple[str, ...]
    rounds: int
    is_quick: bool


def parse(arguments: list[str] | None = None) -> Options:
    """Options from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Gatehouse and its peers under the same loads, in turn, on this machine.",
    )
    for option, names in (("--scenario", SCENARIOS), ("--server", SERVERS)):
        shown = f"may be given several times: {', '.join(names)}"
        parser.add_argument(option, action="append", choices=names, metavar="NAME", help=shown)
    parser.add_argument("--rounds", type=_count, help=f"default: {ROUNDS}, with --quick 1")
    parser.add_argument("--quick", action="store_true", help="small and short: does it work at all?")
    given = parser.parse_args(arguments)
    return Options(
        tuple(given.scenario or SCENARIOS),
        tuple(given.server or (QUICK_SERVERS if given.quick else SERVERS)),
        given.rounds or (1 if given.quick else ROUNDS),
        given.quick,
    )


def cache_directory() -> Path:
    """Where the peers are installed."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gatehouse-bench"


def _count(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError("expected at least 1")
    return number
