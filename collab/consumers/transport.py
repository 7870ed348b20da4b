"""The engine's way out to one socket."""

from __future__ import annotations

from channels.generic.websocket import AsyncWebsocketConsumer

from collab.engine.outlet import Outlet
from collab.engine.pieces import Data


class SocketTransport:
    """`backend.server` says what a line offers beyond ASGI; others offer nothing.

    Args:
        head: what every frame begins with.
    """

    def __init__(self, consumer: AsyncWebsocketConsumer, head: bytes = b"") -> None:
        self._consumer = consumer
        self.head = head
        self._line = consumer.scope.get("extensions", {}).get("gatehouse.line")
        self.outlet: Outlet = Outlet() if self._line is None else self._line["outlet"]

    async def send(self, frame: Data) -> None:
        """Send one frame; where the line can, without a copy of a long one."""
        if self._line is None:
            await self._consumer.base_send({"type": "websocket.send", "bytes": self.head + bytes(frame)})
        else:
            await self._line["send"](self.head, frame)

    async def close(self, code: int, reason: str) -> None:
        await self._consumer.close(code=code, reason=reason)

    def abort(self, code: int, reason: str) -> None:
        if self._line is not None:
            self._line["abort"](code, reason)

    def progress(self) -> int:
        return 0 if self._line is None else int(self._line["progress"]())
