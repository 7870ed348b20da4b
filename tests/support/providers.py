"""A real `WebsocketProvider` with its document, seen from Python."""

from __future__ import annotations

import json
from typing import Any, Self

from tests.support.node import WAIT_S, Edit, Json, Node


class Provider:
    """One y-websocket client; every method is one command to the Node process."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.name = node.new_name()
        self.client = 0

    @classmethod
    async def open(cls, node: Node, url: str, room: str, **options: Any) -> Self:
        """Make the client.

        Args:
            options: version (1 to 3), params, protocols, headers, connect, client (the Yjs client id), and
                `others`: URLs of servers to go to when a connection closes.
        """
        provider = cls(node)
        opened = await provider._call("open", url=url, room=room, **options)
        provider.client = opened["client"]
        return provider

    async def _call(self, command: str, **arguments: Json) -> Json:
        return await self._node.call(command, name=self.name, **arguments)

    async def destroy(self) -> None:
        await self._call("destroy")

    async def connect(self, params: dict[str, str] | None = None) -> None:
        """Connect again, with other URL parameters if given."""
        await self._call("connect", params=params)

    async def disconnect(self) -> None:
        """Go offline; returns when the socket is closed."""
        await self._call("disconnect")

    async def edit(self, *edits: Edit) -> None:
        """Apply edits in one transaction, such as `("text.insert", 0, "words")`."""
        await self._call("edit", edits=edits)

    async def edit_at_once(self, edits: list[Edit], other: Provider, other_edits: list[Edit]) -> None:
        """Edit this and another document before either hears of the other's edits."""
        await self._node.call("editAtOnce", all=[[self.name, edits], [other.name, other_edits]])

    async def read(self, shape: dict[str, str] | None = None) -> Json:
        """The content by root: `text`, `delta`, `map`, `array`, `xml`, or what `shape` names."""
        return await self._call("read", **({"shape": shape} if shape else {}))

    async def text(self) -> str:
        content = await self.read()
        return str(content["text"])

    async def state(self) -> Json:
        """`update` and `vector` (hex), `pending`, `synced`, `connected`, `should_connect`; counts of
        `connections`, `events` and `frames`.
        """
        return await self._call("state")

    async def wait_synced(self, timeout_s: float = WAIT_S) -> None:
        await self._call("waitSynced", timeout_s=timeout_s)

    async def wait_equal(self, *others: Provider, timeout_s: float = WAIT_S) -> None:
        """Wait until all hold the same document: state vectors, delete sets, nothing pending."""
        names = [self.name, *(other.name for other in others)]
        await self._node.call("waitEqual", names=names, timeout_s=timeout_s)

    async def wait_content(self, root: str, content: Json, timeout_s: float = WAIT_S) -> None:
        await self._call("waitContent", root=root, content=content, timeout_s=timeout_s)

    async def wait_echoed(self, timeout_s: float = WAIT_S) -> None:
        """Wait until everything this client wrote has come back from the server (`?echo=1`)."""
        await self._call("waitEchoed", timeout_s=timeout_s)

    async def events(self) -> list[dict[str, Any]]:
        """Everything that happened: status, connection-close, closed, connection-error, sync, denied."""
        return list(await self._call("events"))

    async def wait_event(
        self, kind: str, *, since: int = 0, timeout_s: float = WAIT_S, **match: Json
    ) -> Json:
        """The first such event from index `since` on; its `next` is where to look for a later one."""
        return await self._call("waitEvent", type=kind, match=match, since=since, timeout_s=timeout_s)

    async def wait_closed(self, code: int, timeout_s: float = WAIT_S) -> Json:
        """Wait until the server closes with this code."""
        return await self.wait_event("connection-close", code=code, timeout_s=timeout_s)

    async def wait_denied(self, *, since: int = 0) -> Json:
        """Wait for the y-protocols message "permission denied"; it carries `reason`."""
        return await self.wait_event("denied", since=since)

    async def frames(self, direction: str = "in") -> list[str]:
        """The raw frames (hex) of all its connections so far."""
        return [frame["hex"] for frame in await self._call("frames") if frame["direction"] == direction]

    async def wait_frame(self, prefix: str, *, since: int = 0, timeout_s: float = WAIT_S) -> str:
        """The first incoming frame that begins with `prefix` (hex); `since` counts both directions."""
        frame = await self._call("waitFrame", prefix=prefix, since=since, timeout_s=timeout_s)
        return str(frame["hex"])

    async def send_frame(self, frame: str) -> None:
        """Put hand-made bytes (hex) on the socket, past the document."""
        await self._call("sendFrame", hex=frame)

    async def send_token(self, token: str) -> None:
        """Put a newer access token in the place of the one the socket was opened with."""
        await self._call("sendText", text=json.dumps({"token": token}))

    async def set_awareness(self, state: Json) -> None:
        await self._call("setAwareness", state=state)

    async def awareness(self) -> dict[str, Any]:
        """Everyone's presence as it is here, by client id."""
        return dict(await self._call("awareness"))

    async def wait_awareness(self, client: int, state: Json, timeout_s: float = WAIT_S) -> None:
        """Wait until the presence of this client id is `state` here; None: gone.

        What the server says in `user` counts where `state` has one, as its last field.
        """
        await self._call("waitAwareness", client=client, state=state, timeout_s=timeout_s)

    async def wait_awareness_field(self, client: int, field: str, value: Json) -> None:
        """Wait until this field of the presence of a client id has this value here."""
        await self._call("waitAwarenessField", client=client, field=field, value=value)
