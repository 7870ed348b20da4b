"""Real updates, made once for all tests of the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.scripted import FakeClock
from tests.engine.yjs import Session, generate_sessions
from tests.support.missing import skipping_what_is_missing

FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.fixture(scope="session")
def sessions() -> list[Session]:
    """Random sessions of three users each, with every kind of content."""
    with skipping_what_is_missing():
        return generate_sessions(seed=20_240_229, sessions=120, edits=40)


@pytest.fixture(scope="session")
def hostile() -> dict[str, Any]:
    """`hostile_updates.json`."""
    loaded: dict[str, Any] = json.loads((FIXTURES / "hostile_updates.json").read_text())
    return loaded


@pytest.fixture(scope="session")
def divergence() -> dict[str, Any]:
    """`y_py_divergence.json`."""
    loaded: dict[str, Any] = json.loads((FIXTURES / "y_py_divergence.json").read_text())
    return loaded


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def _unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rooms may broadcast as long as they like: by a clock that stands still nothing is earned again."""
    monkeypatch.setattr("collab.engine.broadcast.BROADCAST_BURST_S", 3600)
