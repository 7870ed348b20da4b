"""Which other processes are there: told by what is heard of them while own beats come back."""

from __future__ import annotations

import pytest

from collab.engine.processes import GONE_BEATS, OtherProcesses


@pytest.fixture
def others() -> OtherProcesses:
    return OtherProcesses()


def beats(others: OtherProcesses, count: int) -> list[str]:
    """Who is gone after so many own beats."""
    return [process for _ in range(count) for process in others.heard_own()]


def test_process_that_is_silent_is_gone_once(others: OtherProcesses) -> None:
    others.heard("other")
    assert beats(others, GONE_BEATS - 1) == []
    assert beats(others, 1) == ["other"]
    assert beats(others, 3 * GONE_BEATS) == []


def test_process_that_is_heard_in_time_stays(others: OtherProcesses) -> None:
    for _ in range(5):
        others.heard("other")
        assert beats(others, GONE_BEATS - 1) == []


def test_each_process_is_gone_by_its_own_silence(others: OtherProcesses) -> None:
    others.heard("one")
    others.heard("two")
    assert beats(others, GONE_BEATS - 1) == []
    others.heard("two")
    assert beats(others, 1) == ["one"]
    assert beats(others, GONE_BEATS) == ["two"]


def test_process_that_is_heard_again_is_gone_again_when_it_is_silent_again(others: OtherProcesses) -> None:
    others.heard("other")
    assert beats(others, GONE_BEATS) == ["other"]
    others.heard("other")
    assert beats(others, GONE_BEATS - 1) == []
    assert beats(others, 1) == ["other"]


def test_process_that_was_never_heard_is_not_gone(others: OtherProcesses) -> None:
    assert beats(others, 3 * GONE_BEATS) == []
