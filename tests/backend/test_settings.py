"""What the settings make of a database's URL."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.support.server import ROOT, environment

PRINT_OPTIONS = """
import json
from backend.settings import DATABASES
print(json.dumps(DATABASES["default"]["OPTIONS"]))
"""


def options_of(database_url: str) -> dict[str, Any]:
    """The options of the connection, in a process that has this URL in its environment."""
    done = subprocess.run(
        [sys.executable, "-c", PRINT_OPTIONS],
        cwd=ROOT,
        env=environment(DATABASE_URL=database_url),
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    options: dict[str, Any] = json.loads(done.stdout)
    return options


def test_options_in_the_url_of_the_database_hold_and_come_before_our_own() -> None:
    options = options_of("postgresql://user@host/name?sslmode=verify-full&connect_timeout=9")
    assert (options["sslmode"], options["connect_timeout"]) == ("verify-full", 9)
    assert options["tcp_user_timeout"] > 0
    assert options["pool"]["max_size"] > 0
