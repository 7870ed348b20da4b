"""The hostile bytes of `tests/fixtures`, unpacked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
_hostile = json.loads((FIXTURES / "hostile_updates.json").read_text())
_divergence = json.loads((FIXTURES / "y_py_divergence.json").read_text())


def _unpacked(entry: dict[str, Any]) -> str:
    """`hex`, or `parts` laid end to end, of which `ab * 3` stands for `ababab`."""
    if "hex" in entry:
        return str(entry["hex"])
    parts = (part.partition(" * ") for part in entry["parts"])
    return "".join(content * int(times or 1) for content, _, times in parts)


#: Updates or state vectors that no check may let through.
MALFORMED: list[str] = [_unpacked(entry) for entry in _hostile["raw"]]
#: Sequences of well-formed updates that crash a CRDT library.
WELL_FORMED_BUT_HARMFUL: list[list[str]] = [entry["sequence"] for entry in _hostile["gated"]]
#: `name`, `updates` and the `right` content, of documents that one library gets wrong.
DIVERGENCE_CASES: list[dict[str, Any]] = _divergence["cases"]
OUT_OF_CLOCK_ORDER: list[str] = _divergence["order"]["updates"]
