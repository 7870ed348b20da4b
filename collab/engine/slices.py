"""Long work in slices, so that nobody waits for the event loop: generators that yield now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

T = TypeVar("T")
Meter = AbstractContextManager[None]
NO_METER: Meter = nullcontext()

#: How often what others overtook is brought up to date; then the rest is done without a pause.
MAX_RENEWALS = 20


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


async def keep_up(renewable: Renewable, meter: Meter) -> None:
    """Bring it up to date in slices. It may be left behind by others who never stop."""
    await finish_in_slices(renewable.work(), meter)
    for _ in range(MAX_RENEWALS):
        if not renewable.changed:
            return
        await finish_in_slices(renewable.work(), meter)
