"""What a connection may take of the event loop's time, and what becomes of one that takes more."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from collab.engine.errors import ResetError
from collab.engine.gate import parse_update
from collab.engine.limits import Limits
from collab.engine.meter import BURST_S, MAX_PAUSE_S, Meter, UserMeters
from collab.engine.protocol import (
    create_sync_step_1_message,
    create_sync_step_2_message,
    create_update_message,
)
from collab.engine.reception import receive
from collab.engine.room import LiveRoom
from tests.engine.builders import client, gc, state_vector, typed, update
from tests.engine.scripted import Client, FakeClock, NoReplication, turns


class Work:
    """The timer of a meter: whatever is done takes so many seconds."""

    def __init__(self, costs_s: float = 0.0) -> None:
        self.costs_s = costs_s
        self.pieces = 0
        self._now = 0.0

    def __call__(self) -> float:
        self.pieces += 1
        if self.pieces % 2 == 0:
            self._now += self.costs_s
        return self._now


@pytest.fixture
def room(clock: FakeClock) -> LiveRoom:
    return LiveRoom("room", NoReplication(), lambda message: None, Limits(), clock)


def test_meter_within_the_burst_asks_for_no_pause(clock: FakeClock) -> None:
    meter = Meter(10, clock, Work(BURST_S / 10))
    for _ in range(10):
        with meter:
            pass
    assert meter.pause_s() == pytest.approx(0.0, abs=1e-6)


def test_meter_asks_for_the_time_in_which_what_is_owed_is_earned(clock: FakeClock) -> None:
    meter = Meter(10, clock, Work(BURST_S + 0.2))
    with meter:
        pass
    assert meter.pause_s() == pytest.approx(2.0)
    clock.advance(1.5)
    assert meter.pause_s() == pytest.approx(0.5)
    clock.advance(0.5)
    assert meter.pause_s() == pytest.approx(0.0, abs=1e-6)


def test_meter_never_asks_for_more_than_the_longest_pause(clock: FakeClock) -> None:
    meter = Meter(10, clock, Work(1_000))
    with meter:
        pass
    assert meter.pause_s() == MAX_PAUSE_S
    clock.advance(MAX_PAUSE_S)
    assert meter.pause_s() == pytest.approx(0.0, abs=1e-6)


def test_meter_saves_no_more_than_the_burst(clock: FakeClock) -> None:
    meter = Meter(10, clock, Work(BURST_S + 0.1))
    clock.advance(1_000_000)
    assert meter.pause_s() == 0
    with meter:
        pass
    assert meter.pause_s() == pytest.approx(1.0)


def test_meter_counts_work_that_fails(clock: FakeClock) -> None:
    meter = Meter(10, clock, Work(BURST_S + 0.1))
    with pytest.raises(ValueError, match="no"), meter:
        raise ValueError("no")
    assert meter.pause_s() == pytest.approx(1.0)


def test_meter_counts_what_is_charged(clock: FakeClock) -> None:
    meter = Meter(10, clock, Work())
    meter.charge(BURST_S + 0.1)
    assert meter.pause_s() == pytest.approx(1.0)


def test_user_has_one_meter_for_all_connections_and_those_that_follow(clock: FakeClock) -> None:
    meters = UserMeters(10, clock)
    user, other = uuid4(), uuid4()
    meters.of(user).charge(BURST_S + 0.1)
    assert meters.of(user).pause_s() == pytest.approx(1.0)
    assert meters.of(other).pause_s() == 0


def test_users_beyond_those_that_are_remembered_begin_anew(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.engine.meter.MAX_USERS", 2)
    meters = UserMeters(10, clock)
    first, second, third = uuid4(), uuid4(), uuid4()
    for user in (first, second, first, third):
        meters.of(user).charge(BURST_S + 0.1)
    assert meters.of(first).pause_s() > 0
    assert meters.of(second).pause_s() == 0


EXPENSIVE = [
    create_update_message(typed(7, "x")),
    create_update_message(update(client(7, 0, *[gc()] * 10_000))),
    create_sync_step_1_message(b"\x00"),
    create_sync_step_1_message(state_vector(dict.fromkeys(range(10_000), 1))),
    create_sync_step_2_message(typed(7, "x")),
    b"\x01\x01\x00",
    b"\x03",
]


@pytest.mark.parametrize("frame", EXPENSIVE, ids=lambda frame: f"{frame[:2].hex()} of {len(frame)} bytes")
async def test_frames_of_a_connection_that_has_taken_too_much_wait(
    room: LiveRoom, clock: FakeClock, frame: bytes
) -> None:
    hostile, other = Client(clock), Client(clock)
    hostile.connection.meter = Meter(10, clock, Work(BURST_S))
    room.join(hostile.connection)
    room.join(other.connection)
    await receive(room, hostile.connection, frame)
    await turns()
    assert hostile.connection.meter.pause_s() > 0
    other.frames.clear()
    late = asyncio.create_task(receive(room, hostile.connection, create_update_message(typed(8, "late"))))
    await turns()
    await receive(room, other.connection, create_update_message(typed(9, "mine")))
    assert 8 not in room.document.state_vector()
    assert 9 in room.document.state_vector()
    room.close_connection(hostile.connection, ResetError("over"))
    await late  # at once, not after the pause
    assert 8 not in room.document.state_vector()
    await hostile.end()
    await other.end()


async def test_frame_that_waited_is_handled_when_its_time_has_come(room: LiveRoom, clock: FakeClock) -> None:
    slow = Client(clock)
    slow.connection.meter = Meter(100, clock, Work(BURST_S / 3 + 0.02))
    room.join(slow.connection)
    await receive(room, slow.connection, create_update_message(typed(7, "a")))
    await receive(room, slow.connection, create_update_message(typed(8, "b")))
    assert set(room.document.state_vector()) == {7, 8}
    await slow.end()


async def test_client_that_lets_its_queue_overflow_again_and_again_is_brought_level_in_its_time(
    clock: FakeClock,
) -> None:
    limits = Limits(outbox_bytes=2_000)
    room = LiveRoom("room", NoReplication(), lambda message: None, limits, clock)
    hostile = Client(clock, limits, is_reading=False)
    work = Work(BURST_S + 1)
    hostile.connection.meter = Meter(10, clock, work)
    room.join(hostile.connection)
    await turns()
    for number in range(2):
        for _ in range(100):
            room.broadcast(bytes(100))
        if number == 1:
            assert work.pieces == 2
        hostile.line.read_again()
        await turns(50)
        hostile.line.stop_reading()
        hostile.connection.send(b"on its way")
        await turns()
    assert work.pieces == 2  # brought level once; the second time has to wait
    await hostile.end()


async def test_longest_first_sync_and_two_hundred_small_updates_a_second_do_not_wait(
    room: LiveRoom, clock: FakeClock
) -> None:
    """With the real timer, on a machine that may be busy with other things."""
    honest = Client(clock)
    room.join(honest.connection)
    whole = update(client(7, 0, *[b"\x84\x07\x00\x0f" + b"x" * 15] * 200_000))
    assert len(whole) < Limits().max_message_bytes
    await receive(room, honest.connection, create_sync_step_2_message(whole))
    assert honest.connection.meter.pause_s() == 0
    for second in range(5):
        for number in range(200):
            frame = create_update_message(typed(8, "x", second * 200 + number))
            await receive(room, honest.connection, frame)
        await turns()
        clock.advance(1)
        assert honest.connection.meter.pause_s() == 0
    assert room.document.contains(parse_update(whole))
    await honest.end()
