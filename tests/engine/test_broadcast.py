"""What a room sends to all: at once, and joined while broadcasts take too much of the time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from collab.engine.broadcast import BROADCAST_BURST_S, BROADCAST_PERCENT, Broadcast
from collab.engine.connection import Connection
from collab.engine.document import join_updates
from collab.engine.gate import parse_update
from collab.engine.protocol import create_update_message
from tests.engine.builders import typed
from tests.engine.scripted import Client, FakeClock, turns, until


class Timer:
    """Seconds of work; each look at it after another one took so long."""

    def __init__(self) -> None:
        self.now = 0.0
        self.broadcast_takes_s = 0.0

    def __call__(self) -> float:
        self.now += self.broadcast_takes_s
        return self.now


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
async def reader(clock: FakeClock) -> AsyncIterator[Client]:
    client = Client(clock)
    yield client
    await client.end()


@pytest.fixture
def broadcast(reader: Client, clock: FakeClock, timer: Timer) -> Broadcast:
    connections: dict[str, Connection] = {reader.connection.id: reader.connection}
    return Broadcast(connections, lambda: None, clock, timer)


def tell(broadcast: Broadcast, clock: int) -> bytes:
    """Tell of a letter; gives the frame that brings it."""
    data = typed(7, "x", clock)
    broadcast.tell(parse_update(data), None)
    return create_update_message(data)


def typed_as_one(*clocks: int) -> bytes:
    """The frame that brings these letters."""
    return create_update_message(join_updates([parse_update(typed(7, "x", clock)) for clock in clocks]))


async def test_updates_of_one_turn_go_out_as_one_in_that_turn(broadcast: Broadcast, reader: Client) -> None:
    tell(broadcast, 0)
    tell(broadcast, 1)
    await turns(3)
    assert reader.frames == [typed_as_one(0, 1)]


async def test_more_updates_than_are_joined_go_out_in_groups(
    broadcast: Broadcast, reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.engine.joined.MAX_JOINED_PARTS", 2)
    for number in range(5):
        tell(broadcast, number)
    await turns(3)
    assert reader.frames == [typed_as_one(0, 1), typed_as_one(2, 3), typed_as_one(4)]


async def test_long_update_goes_out_alone_and_in_its_order(
    broadcast: Broadcast, reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.engine.joined.MAX_JOINED_BYTES", 100)
    tell(broadcast, 0)
    tell(broadcast, 1)
    long = typed(8, "x" * 200)
    broadcast.tell(parse_update(long), None)
    tell(broadcast, 2)
    tell(broadcast, 3)
    await turns(3)
    assert reader.frames == [typed_as_one(0, 1), create_update_message(long), typed_as_one(2, 3)]


async def test_broadcasts_within_their_part_of_the_time_do_not_wait(
    broadcast: Broadcast, reader: Client, clock: FakeClock, timer: Timer
) -> None:
    timer.broadcast_takes_s = 0.002
    frames = []
    for number in range(200):
        frames.append(tell(broadcast, number))
        await turns(3)
        clock.advance(0.002 * 100 / BROADCAST_PERCENT)
    assert reader.frames == frames


async def test_room_that_has_taken_too_much_pauses_and_joins_what_comes_meanwhile(
    broadcast: Broadcast, reader: Client, timer: Timer
) -> None:
    timer.broadcast_takes_s = BROADCAST_BURST_S + 0.002
    first = tell(broadcast, 0)
    await turns()
    tell(broadcast, 1)
    await turns()
    assert reader.frames == [first]
    tell(broadcast, 2)
    await until(lambda: len(reader.frames) > 1)
    assert reader.frames[1:] == [typed_as_one(1, 2)]
