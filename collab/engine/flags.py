"""What tasks wait for, small as long as nobody does: every connection has several."""

from __future__ import annotations

import asyncio


class Flag:
    """As `asyncio.Event`, of which each keeps 760 bytes ready for those who may wait."""

    __slots__ = ("_is_set", "_waiters")

    def __init__(self) -> None:
        self._is_set = False
        self._waiters: tuple[asyncio.Future[None], ...] = ()

    def is_set(self) -> bool:
        return self._is_set

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits, and has nothing to go on for yet."""
        return any(not waiter.done() for waiter in self._waiters)

    def set(self) -> None:
        """Let everyone go on who waits now, and whoever comes before it is cleared."""
        self._is_set = True
        waiters, self._waiters = self._waiters, ()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        self._is_set = False

    async def wait(self) -> None:
        """Wait until it is set, be it only for a moment."""
        if self._is_set:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters = (*(other for other in self._waiters if not other.done()), waiter)
        await waiter
