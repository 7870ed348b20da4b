"""Real Yjs, as the truth: random sessions, and what documents hold after updates (`yjs.mjs`)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.node import find_node

SCRIPT = Path(__file__).with_name("yjs.mjs")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a document shows, what it consists of, and whether it waits for something."""

    content: str
    snapshot: str
    pending: bool


@dataclass(frozen=True, slots=True)
class Session:
    """Three users who edit one document.

    `updates` has (author, update), each after what it builds on; `extras` are differences and merges
    that overlap them; `vectors` are state vectors that some of them had.
    """

    updates: list[tuple[int, bytes]]
    extras: list[bytes]
    vectors: list[bytes]
    right: Reading

    @property
    def all_updates(self) -> list[bytes]:
        return [update for _, update in self.updates]


def generate_sessions(*, seed: int, sessions: int, edits: int, is_plain: bool = False) -> list[Session]:
    """Random sessions; the same for the same seed.

    Args:
        is_plain: leave out what must not be encoded again, such as a BigInt.

    Raises:
        MissingError: Node or its packages are missing.
    """
    wanted = {"seed": seed, "sessions": sessions, "edits": edits, "isPlain": is_plain}
    answer = _ask({"generate": wanted})
    return [
        Session(
            updates=[(item["author"], bytes.fromhex(item["update"])) for item in found["updates"]],
            extras=[bytes.fromhex(update) for update in found["extras"]],
            vectors=[bytes.fromhex(vector) for vector in found["vectors"]],
            right=Reading(**found["right"]),
        )
        for found in answer
    ]


def read_documents(cases: Iterable[Sequence[bytes]]) -> list[Reading]:
    """For each list of updates what a new document holds that takes them in that order; one process."""
    answer = _ask({"read": [[update.hex() for update in case] for case in cases]})
    return [Reading(**reading) for reading in answer]


def write_offline(cases: Iterable[tuple[int, Sequence[bytes]]]) -> list[tuple[bytes, bytes]]:
    """For each (seed, updates): the state vector of someone who knows these, and what they then write."""
    answer = _ask({"offline": [{"seed": seed, "known": [u.hex() for u in known]} for seed, known in cases]})
    return [(bytes.fromhex(item["vector"]), bytes.fromhex(item["update"])) for item in answer]


def _ask(request: dict[str, Any]) -> Any:
    done = subprocess.run(
        [find_node(), str(SCRIPT)], input=json.dumps(request), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)
