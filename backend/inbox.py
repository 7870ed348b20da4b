"""Messages of one client on their way to the application: few, and for one reader."""

from __future__ import annotations

from uvicorn._types import ASGIReceiveEvent

from collab.engine.flags import Flag


class Inbox:
    """As `asyncio.Queue`, of which each takes 3 KiB while it is empty."""

    __slots__ = ("_has_some", "_messages")

    def __init__(self) -> None:
        self._messages: list[ASGIReceiveEvent] = []
        self._has_some = Flag()

    def qsize(self) -> int:
        return len(self._messages)

    def empty(self) -> bool:
        return not self._messages

    def put_nowait(self, message: ASGIReceiveEvent) -> None:
        self._messages.append(message)
        self._has_some.set()

    async def get(self) -> ASGIReceiveEvent:
        """The next message; to be waited for by one task."""
        while not self._messages:
            self._has_some.clear()
            await self._has_some.wait()
        return self._messages.pop(0)
