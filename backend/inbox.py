"""Messages of one client on their way to the application: few, and for one reader."""

from __future__ import annotations

from collections.abc import Callable

from uvicorn._types import ASGIReceiveEvent

from collab.engine.flags import Flag


class Inbox:
    """As `asyncio.Queue`, of which each takes 3 KiB while it is empty, and with a way past it.

    Attributes:
        take: handles bytes at once that come while the reader waits for some; or tells, by `False`, that it
            has done nothing, and the reader has to. None: all is for the reader. It must not raise.
    """

    __slots__ = ("_has_some", "_messages", "take")

    def __init__(self) -> None:
        self.take: Callable[[bytes], bool] | None = None
        self._messages: list[ASGIReceiveEvent] = []
        self._has_some = Flag()

    def qsize(self) -> int:
        return len(self._messages)

    def empty(self) -> bool:
        return not self._messages

    def put_nowait(self, message: ASGIReceiveEvent) -> None:
        self._messages.append(message)
        self._has_some.set()

    def put_bytes(self, data: bytes) -> None:
        """Have a binary message handled, by the reader if need be."""
        if self.take is None or not self._has_some.is_awaited or not self.take(data):
            self.put_nowait({"type": "websocket.receive", "bytes": data})

    async def get(self) -> ASGIReceiveEvent:
        """The next message; to be waited for by one task."""
        while not self._messages:
            self._has_some.clear()
            await self._has_some.wait()
        return self._messages.pop(0)
