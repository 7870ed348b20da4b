"""A real `HocuspocusProvider` with its document, seen from Python."""

from __future__ import annotations

from typing import Any

from tests.support.node import WAIT_S, Edit, Json, Node
from tests.support.providers import Provider


class HocuspocusProvider(Provider):
    """One document of a Hocuspocus client; what a `Provider` does, it does too.

    `connection-close` events carry 1000 where the server has closed the document, else the socket's code.
    """

    @classmethod
    async def open_document(
        cls,
        node: Node,
        url: str,
        room: str,
        *,
        token: str,
        version: int = 4,
        socket: str | None = None,
        **options: Any,
    ) -> HocuspocusProvider:
        """Make the client.

        Args:
            token: what its token function gives, until `set_token`.
            version: of the provider, 2 to 4.
            socket: a name; providers that give the same share one socket.
            options: sessions (each provider has a session of its own, v4), connect, client, headers.
        """
        provider = cls(node)
        opened = await provider._call(
            "openHocuspocus",
            url=url,
            room=room,
            token=token,
            version=version,
            socket=socket or provider.name,
            **options,
        )
        provider.client = opened["client"]
        return provider

    async def edit_unsaved(self, *edits: Edit) -> int:
        """Edit; how many changes the provider says are not saved, before the server can have answered."""
        return int(await self._call("editUnsaved", edits=edits))

    async def set_token(self, token: str) -> None:
        """What the server gets when it asks next."""
        await self._call("setToken", token=token)

    async def send_token(self, token: str) -> None:
        await self.set_token(token)
        await self._call("sendToken")

    async def send_stateless(self, payload: str) -> None:
        await self._call("sendStateless", payload=payload)

    async def wait_stateless(self, payload: str) -> None:
        await self.wait_event("stateless", payload=payload)

    async def wait_saved(self, timeout_s: float = WAIT_S) -> None:
        """Wait until the provider says that it has no unsynced changes."""
        await self._call("waitSaved", timeout_s=timeout_s)

    async def force_sync(self) -> None:
        """Have it ask for everything, and bring all it has."""
        await self._call("forceSync")

    async def scope(self) -> Json:
        """`readonly` or `read-write`, as the provider has it."""
        return await self._call("scope")

    async def detach(self) -> None:
        """Leave the document; the socket stays."""
        await self._call("detach")

    async def attach(self) -> None:
        """Come back to the document."""
        await self._call("attach")
