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
#: Messages that are sent together, and their bytes.
BATCH = 500
BATCH_BYTES = MIB


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
        messages: list[RelayMessage] = []
        size = 0
        while self._waiting and len(messages) < BATCH and size < BATCH_BYTES:
            messages.append(self._take())
            size += _size(messages[-1])
        await self._relay.publish(*messages)

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
