"""Flags: what `asyncio.Event` promises, for those who wait for them."""

from __future__ import annotations

import asyncio

import pytest

from collab.engine.flags import Flag
from tests.engine.scripted import turns


async def test_set_lets_all_go_on_who_wait() -> None:
    flag = Flag()
    waiting = [asyncio.create_task(flag.wait()) for _ in range(3)]
    await turns()
    assert not any(task.done() for task in waiting)
    flag.set()
    flag.clear()
    await turns()
    assert all(task.done() for task in waiting)


async def test_set_flag_is_not_waited_for() -> None:
    flag = Flag()
    flag.set()
    assert flag.is_set()
    await asyncio.wait_for(flag.wait(), timeout=1)


async def test_flag_is_awaited_while_somebody_waits_and_has_not_been_let_go_on() -> None:
    flag = Flag()
    assert not flag.is_awaited
    waiting = asyncio.create_task(flag.wait())
    await turns()
    assert flag.is_awaited
    flag.set()
    assert not flag.is_awaited
    await waiting


async def test_flag_is_not_awaited_by_who_is_being_cancelled() -> None:
    flag = Flag()
    waiting = asyncio.create_task(flag.wait())
    await turns()
    waiting.cancel()
    assert not flag.is_awaited


async def test_cleared_flag_is_waited_for_again() -> None:
    flag = Flag()
    flag.set()
    flag.clear()
    assert not flag.is_set()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(flag.wait(), timeout=0.01)


async def test_one_who_gives_up_takes_nobody_along() -> None:
    flag = Flag()
    impatient, patient = (asyncio.create_task(flag.wait()) for _ in range(2))
    await turns()
    impatient.cancel()
    await turns()
    assert impatient.cancelled()
    flag.set()
    await asyncio.wait_for(patient, timeout=1)


async def test_those_who_gave_up_are_forgotten() -> None:
    flag = Flag()
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(flag.wait(), timeout=0)
    waiting = asyncio.create_task(flag.wait())
    await turns()
    assert len(flag._waiters) == 1
    flag.set()
    await waiting
