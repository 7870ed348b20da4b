"""The way out to other processes: a bounded queue, so that a slow relay holds nobody up."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from collab.engine.ports import Relay, RelayMessage

logger = logging.getLogger("collab.relay")

#: Messages that wait for the relay; beyond, the oldest is lost, which healing makes good.
MAX_WAITING = 10_000
#: Messages that are on their way at once; those of one room stay in order.
BATCH = 32


class Publisher:
    """Publishes in the background, in order within a room; what is lost is healed."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._waiting: deque[RelayMessage] = deque(maxlen=MAX_WAITING)
        self._work = asyncio.Event()

    def publish(self, message: RelayMessage) -> None:
        if self._relay.reaches_others:
            self._waiting.append(message)
            self._work.set()

    async def run(self) -> None:
        """Publish what is queued, for ever. Cancelling loses what is queued."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._waiting:
                await self._publish_batch()

    async def _publish_batch(self) -> None:
        rooms: dict[str, list[RelayMessage]] = {}
        for _ in range(min(BATCH, len(self._waiting))):
            message = self._waiting.popleft()
            rooms.setdefault(message.room, []).append(message)
        await asyncio.gather(*(self._publish_in_order(messages) for messages in rooms.values()))

    async def _publish_in_order(self, messages: list[RelayMessage]) -> None:
        for message in messages:
            await self._relay.publish(message)

    async def drain(self) -> None:
        """Wait until the queue is empty."""
        while self._waiting:
            await self._publish_batch()
