"""A plain WebSocket client for hand-made frames, seen from Python."""

from __future__ import annotations

from typing import Any, Self

from tests.support.node import WAIT_S, Json, Node


class RawSocket:
    """One socket; `status` is that of the answer to the upgrade (101: open)."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.name = node.new_name()
        self.status = 0
        self.protocol = ""
        self.body = ""

    @classmethod
    async def open(
        cls,
        node: Node,
        url: str,
        *,
        protocols: list[str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Self:
        socket = cls(node)
        answer = await socket._call("rawOpen", url=url, protocols=protocols or [], headers=headers or {})
        socket.status = answer["status"]
        socket.protocol = answer.get("protocol", "")
        socket.body = answer.get("body", "")
        return socket

    async def _call(self, command: str, **arguments: Json) -> Json:
        return await self._node.call(command, name=self.name, **arguments)

    async def send(self, frame: str) -> None:
        """Send a binary frame, given as hex."""
        await self._call("rawSend", hex=frame)

    async def send_text(self, text: str) -> None:
        await self._call("rawSend", text=text)

    async def wait_frame(self, prefix: str = "", *, since: int = 0, timeout_s: float = WAIT_S) -> Json:
        """The first frame from event `since` on that begins with `prefix`: its `hex`, and `next`."""
        return await self._call("rawWaitFrame", prefix=prefix, since=since, timeout_s=timeout_s)

    async def wait_close(self, timeout_s: float = WAIT_S) -> Json:
        """Wait for the end of the socket: its `code` and `reason`."""
        return await self._call("rawWaitClose", timeout_s=timeout_s)

    async def events(self) -> list[dict[str, Any]]:
        """Everything that came: frame (`hex` or `text`), close (`code`, `reason`), error."""
        return list(await self._call("rawEvents"))

    async def close(self) -> None:
        await self._call("rawClose")

    async def terminate(self) -> None:
        """Vanish without a closing handshake, as a client does that loses its network."""
        await self._call("rawTerminate")
