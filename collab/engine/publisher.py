"""The way out to other processes: a bounded queue, so that a slow relay holds nobody up."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from collab.engine.limits import MIB
from collab.engine.ports import (
    BroadcastFrame,
    CommittedRows,
    PeerQuestion,
    PeerUpdate,
    PresenceChanged,
    PresenceQuestion,
    Relay,
    RelayMessage,
    StatelessMessage,
)

logger = logging.getLogger("collab.relay")

#: Messages that wait for the relay, and their bytes; beyond, the oldest are lost, which healing makes good.
MAX_WAITING = 10_000
MAX_WAITING_BYTES = 64 * MIB
#: Messages that are on their way at once; those of one room stay in order.
BATCH = 32


class Publisher:
    """Publishes in the background, in order within a room; what is lost is healed."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._waiting: deque[RelayMessage] = deque()
        self._waiting_bytes = 0
        self._work = asyncio.Event()

    def publish(self, message: RelayMessage) -> None:
        if self._relay.reaches_others:
            self._waiting.append(message)
            self._waiting_bytes += _size(message)
            while len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
                self._take()
            self._work.set()

    def _take(self) -> RelayMessage:
        message = self._waiting.popleft()
        self._waiting_bytes -= _size(message)
        return message

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
            message = self._take()
            rooms.setdefault(message.room, []).append(message)
        await asyncio.gather(*(self._publish_in_order(messages) for messages in rooms.values()))

    async def _publish_in_order(self, messages: list[RelayMessage]) -> None:
        for message in messages:
            await self._relay.publish(message)

    async def drain(self) -> None:
        """Wait until the queue is empty."""
        while self._waiting:
            await self._publish_batch()


def _size(message: RelayMessage) -> int:
    match message:
        case CommittedRows():
            return sum(len(data) for _, data in message.rows)
        case PeerUpdate():
            return len(message.update)
        case PeerQuestion():
            return len(message.state_vector)
        case PresenceChanged():
            return len(message.awareness)
        case BroadcastFrame():
            return len(message.frame)
        case StatelessMessage():
            return len(message.payload.encode())
        case PresenceQuestion():
            return 0
