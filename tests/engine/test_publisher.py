"""The queue to other processes: in order within a room, bounded, never in the way."""

from __future__ import annotations

import asyncio

import pytest

from collab.engine import publisher as publisher_module
from collab.engine.ports import BroadcastFrame, PeerUpdate, PresenceQuestion, Receiver, RelayMessage
from collab.engine.publisher import MAX_WAITING, MAX_WAITING_BYTES, Publisher


class GatedRelay:
    """A relay that is as slow as the test says."""

    def __init__(self, *, reaches_others: bool = True) -> None:
        self.published: list[RelayMessage] = []
        self.reaches_others = reaches_others
        self.gate = asyncio.Event()

    async def subscribe(self, room: str, receiver: Receiver) -> None:
        """Nobody listens."""

    async def unsubscribe(self, room: str) -> None:
        """Nobody listens."""

    async def publish(self, *messages: RelayMessage) -> None:
        await self.gate.wait()
        await asyncio.sleep(0)
        self.published.extend(messages)


async def test_publisher_of_many_messages_keeps_the_order_within_a_room() -> None:
    relay = GatedRelay()
    relay.gate.set()
    publisher = Publisher(relay)
    for number in range(200):
        publisher.publish(BroadcastFrame(f"room {number % 3}", str(number).encode()))
    await publisher.drain()
    for room in range(3):
        frames = [
            int(message.frame)
            for message in relay.published
            if isinstance(message, BroadcastFrame) and message.room == f"room {room}"
        ]
        assert frames == list(range(room, 200, 3))


async def test_publisher_whose_relay_is_stuck_loses_the_oldest_beyond_a_number() -> None:
    relay = GatedRelay()
    publisher = Publisher(relay)
    for number in range(MAX_WAITING + 5):
        publisher.publish(PresenceQuestion(str(number)))
    relay.gate.set()
    await publisher.drain()
    assert [message.room for message in relay.published[:1]] == ["5"]
    assert len(relay.published) == MAX_WAITING


async def test_publisher_whose_relay_is_stuck_loses_the_oldest_beyond_a_number_of_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten thousand updates of four megabytes each would be all memory there is."""
    assert MAX_WAITING_BYTES < MAX_WAITING * 1024 * 1024
    monkeypatch.setattr(publisher_module, "MAX_WAITING_BYTES", 1000)
    relay = GatedRelay()
    publisher = Publisher(relay)
    for number in range(20):
        publisher.publish(PeerUpdate(str(number), bytes(100)))
    relay.gate.set()
    await publisher.drain()
    assert [message.room for message in relay.published] == [str(number) for number in range(10, 20)]


async def test_publisher_that_reaches_nobody_keeps_nothing() -> None:
    relay = GatedRelay(reaches_others=False)
    relay.gate.set()
    publisher = Publisher(relay)
    publisher.publish(PresenceQuestion("room"))
    await publisher.drain()
    assert relay.published == []


async def test_publisher_run_publishes_what_comes_later_too() -> None:
    relay = GatedRelay()
    relay.gate.set()
    publisher = Publisher(relay)
    task = asyncio.create_task(publisher.run())
    for number in range(3):
        publisher.publish(PresenceQuestion(str(number)))
        while len(relay.published) <= number:  # noqa: ASYNC110  # the test's timeout ends it
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [message.room for message in relay.published] == ["0", "1", "2"]
