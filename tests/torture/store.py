"""Which updates are not in the store: `python -m tests.torture.store`, a process that shares nothing.

in   {"room id": ["update (hex)", …], …}     on standard input
out  {"room id": ["update (hex)", …], …}     those that are missing
"""

from __future__ import annotations

import json
import subprocess
import sys
from uuid import UUID

from tests.support.server import ROOT, environment

Updates = dict[str, list[str]]


def find_missing(updates: Updates, database_url: str) -> Updates:
    """Those of these updates, by room, that the store does not hold."""
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
    missing: Updates = json.loads(done.stdout)
    return missing


def _missing_of(room: str, updates: list[str]) -> list[str]:
    from collab.engine.document import Document
    from collab.engine.gate import parse_update
    from collab.store import read_log

    part = read_log(UUID(room), 0)
    document = Document()
    for data in part.updates if part else ():
        document.take_in(parse_update(data))
    return [update for update in updates if not document.contains(parse_update(bytes.fromhex(update)))]


def main() -> None:
    import django

    django.setup()
    updates: Updates = json.load(sys.stdin)
    json.dump({room: _missing_of(room, own) for room, own in updates.items()}, sys.stdout)


if __name__ == "__main__":
    main()
