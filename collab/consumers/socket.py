"""Channels' consumer of a WebSocket, with less between a frame and its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

#: The methods that a frame goes through.
FRAME_METHODS = ("__call__", "dispatch", "websocket_receive", "receive")


class SocketConsumer(AsyncWebsocketConsumer):
    """As in Channels, but for two things that are done there around each message.

    It does not go to a thread to look at Django's database connections: `database_sync_to_async`, by which a
    handler would use them, does that. And one that is on no channel (`channel_layer_alias = ""`) waits for
    its frames without a task for each.
    """

    channel_layer: Any

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        if self.channel_layer_alias:
            await super().__call__(scope, receive, send)
            return
        self.scope, self.base_send, self.channel_layer = scope, send, None
        with suppress(StopConsumer):
            while True:
                await self.dispatch(await receive())

    def take_at_once(self, take: Callable[[bytes], bool], *, of: type[SocketConsumer]) -> None:
        """Have `take` try each binary frame that comes while this waits for one, see `backend.inbox`.

        Not where it is on a channel: while it waits for a frame, it may be handling a message of a group.

        Args:
            of: the class whose way of handling a frame it shortens. One that derives from it and has a look
                at frames itself still sees them all.
        """
        line = self.scope.get("extensions", {}).get("gatehouse.line")
        if line is None or self.channel_layer_alias:
            return
        if all(getattr(type(self), name) is getattr(of, name) for name in FRAME_METHODS):
            line["inbox"].take = take

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Hand a message to the method of its type."""
        handler = getattr(self, get_handler_name(message), None)
        if handler is None:
            raise ValueError(f"No handler for message type {message['type']}")
        await handler(message)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        if self.groups:
            await super().websocket_disconnect(message)
        await self.disconnect(message["code"])
        raise StopConsumer
