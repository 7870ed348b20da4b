"""The engine's way out to one socket."""

from __future__ import annotations

from channels.generic.websocket import AsyncWebsocketConsumer

from collab.engine.pieces import Data


class SocketTransport:
    """`backend.server` says what a line offers beyond ASGI; others offer nothing."""

    def __init__(self, consumer: AsyncWebsocketConsumer) -> None:
        self._consumer = consumer
        self._line = consumer.scope.get("extensions", {}).get("gatehouse.line")

    def write(self, frame: Data) -> bool:
        return self.write_behind(b"", frame)

    def write_behind(self, head: bytes, body: Data) -> bool:
        """Send one frame of both at once, if the line can; tells whether it did."""
        return self._line is not None and bool(self._line["write"](head, body))

    async def send(self, frame: Data) -> None:
        if isinstance(frame, bytes):
            await self._consumer.base_send({"type": "websocket.send", "bytes": frame})
        else:
            await self.send_behind(b"", frame)

    async def send_behind(self, head: bytes, body: Data) -> None:
        """Send one frame of both; where the line can, without a copy of a long body."""
        if self._line is None:
            await self._consumer.base_send({"type": "websocket.send", "bytes": head + bytes(body)})
        else:
            await self._line["send"](head, body)

    async def close(self, code: int, reason: str) -> None:
        await self._consumer.close(code=code, reason=reason)

    def abort(self, code: int, reason: str) -> None:
        if self._line is not None:
            self._line["abort"](code, reason)

    def progress(self) -> int:
        return 0 if self._line is None else int(self._line["progress"]())
