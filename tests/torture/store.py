"""What the store holds: `python -m tests.torture.store`, a process that shares nothing.

in   {"room id": ["update (hex)", …], …}                                  on standard input
out  {"room id": {"missing": ["update (hex)", …], "clocks": {"client": clock, …}}, …}
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.support.server import ROOT, environment

Updates = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Holding:
    """Which of the given updates the store lacks in a room, and up to which clock it has each client."""

    missing: list[str]
    clocks: dict[int, int]


def compare(updates: Updates, database_url: str) -> dict[str, Holding]:
    """What the store holds of these updates, by room."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture.store"],
        cwd=ROOT,
        env=environment(DATABASE_URL=database_url, DJANGO_SETTINGS_MODULE="backend.settings"),
        input=json.dumps(updates),
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    return {
        room: Holding(found["missing"], {int(client): clock for client, clock in found["clocks"].items()})
        for room, found in json.loads(done.stdout).items()
    }


def _compare_room(room: str, updates: list[str]) -> dict[str, Any]:
    from collab.engine.document import Document
    from collab.engine.gate import parse_update
    from collab.store import read_log

    part = read_log(UUID(room), 0)
    document = Document()
    for data in part.updates if part else ():
        document.take_in(parse_update(data))
    missing = [update for update in updates if not document.contains(parse_update(bytes.fromhex(update)))]
    return {"missing": missing, "clocks": document.state_vector()}


def main() -> None:
    import django

    django.setup()
    updates: Updates = json.load(sys.stdin)
    json.dump({room: _compare_room(room, own) for room, own in updates.items()}, sys.stdout)


if __name__ == "__main__":
    main()
