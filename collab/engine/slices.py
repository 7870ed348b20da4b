"""Long work in slices, so that nobody waits for the event loop: generators that yield now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

T = TypeVar("T")
Meter = AbstractContextManager[None]
NO_METER: Meter = nullcontext()

#: How often what others overtook is brought up to date; then the rest is done without a pause.
MAX_RENEWALS = 20


#: How long something may go on before it lets the event loop go on.
TURN_S = 0.001


class Turn:
    """For many short things in a row, each of which is not worth a pause."""

    def __init__(self) -> None:
        self._ends_at = time.perf_counter() + TURN_S

    async def rest(self) -> None:
        """Let the event loop go on, if it is time."""
        if time.perf_counter() >= self._ends_at:
            await asyncio.sleep(0)
            self._ends_at = time.perf_counter() + TURN_S


class Renewable(Protocol):
    """Work on a document beside it, which notes what others change meanwhile."""

    changed: set[int]

    def work(self) -> Generator[None, None, None]:
        """All of it, and when called again what was changed since."""


async def finish_in_slices(walk: Generator[None, None, T], meter: Meter = NO_METER) -> T:
    """Drive a walk to its end, letting the event loop go on at each of its pauses."""
    while True:
        try:
            with meter:
                next(walk)
        except StopIteration as done:
            result: T = done.value
            return result
        await asyncio.sleep(0)


async def keep_up(renewable: Renewable | None, meter: Meter) -> None:
    """Bring it up to date in slices, if there is any. It may be left behind by others who never stop."""
    if renewable is None:
        return
    await finish_in_slices(renewable.work(), meter)
    for _ in range(MAX_RENEWALS):
        if not renewable.changed:
            return
        await finish_in_slices(renewable.work(), meter)
