"""Which other processes are there: told by what is heard of them from look to look."""

from __future__ import annotations

import pytest

from collab.engine.processes import GONE_LOOKS, OtherProcesses


@pytest.fixture
def others() -> OtherProcesses:
    return OtherProcesses()


def looks(others: OtherProcesses, count: int, said: dict[str, float] | None = None) -> list[str]:
    """Who is gone after so many looks that find the same."""
    return [process for _ in range(count) for process in others.look(dict(said or {}))]


@pytest.mark.parametrize("left", [{"other": 1.0}, {}], ids=["still listed", "not listed"])
def test_process_that_is_silent_is_gone_once(others: OtherProcesses, left: dict[str, float]) -> None:
    assert others.look({"other": 1.0}) == []
    assert looks(others, GONE_LOOKS - 1, left) == []
    assert looks(others, 1, left) == ["other"]
    assert looks(others, 3 * GONE_LOOKS, left) == []


def test_process_that_says_so_in_time_stays(others: OtherProcesses) -> None:
    for number in range(5):
        assert looks(others, GONE_LOOKS, {"other": float(number)}) == []


def test_process_whose_clock_is_set_back_stays(others: OtherProcesses) -> None:
    for number in range(5):
        assert looks(others, GONE_LOOKS, {"other": -float(number)}) == []


def test_process_whose_messages_are_heard_stays(others: OtherProcesses) -> None:
    others.heard("other")
    for _ in range(5):
        assert looks(others, GONE_LOOKS - 1) == []
        others.heard("other")


def test_each_process_is_gone_by_its_own_silence(others: OtherProcesses) -> None:
    assert looks(others, GONE_LOOKS, {"one": 1.0, "two": 1.0}) == []
    assert others.look({"one": 1.0, "two": 2.0}) == ["one"]
    assert looks(others, GONE_LOOKS, {"two": 2.0}) == ["two"]


def test_process_that_is_heard_again_is_gone_again_when_it_is_silent_again(others: OtherProcesses) -> None:
    assert looks(others, GONE_LOOKS + 1, {"other": 1.0}) == ["other"]
    assert looks(others, GONE_LOOKS, {"other": 2.0}) == []
    assert looks(others, 1, {"other": 2.0}) == ["other"]


def test_process_that_was_never_heard_is_not_gone(others: OtherProcesses) -> None:
    assert looks(others, 3 * GONE_LOOKS) == []
