"""A long document is answered with in slices: others write, leave and go meanwhile, and nothing is lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from collab.engine.connection import MAX_NOTED_CLIENTS
from collab.engine.document import LONG_BYTES, Document
from collab.engine.errors import ForbiddenError
from collab.engine.gate import parse_update
from collab.engine.limits import Limits
from collab.engine.protocol import SyncStep2, Update, create_sync_step_1_message, decode_message
from collab.engine.reception import receive
from collab.engine.room import LiveRoom
from tests.engine.builders import client, document_of, gc, state_vector, text, typed, update
from tests.engine.scripted import Client, FakeClock, NoReplication, turns, until

pytestmark = pytest.mark.usefixtures("_unpaced")

#: More clients than a slice encodes, and text that stays where it lies.
LONG = update(
    *[client(number, 0, gc()) for number in range(3_000, 100, -1)],
    client(7, 0, text("x" * LONG_BYTES)),
)
ASKED = create_sync_step_1_message(b"\x00")


@pytest.fixture
async def room(clock: FakeClock) -> LiveRoom:
    room = LiveRoom("room", NoReplication(), lambda message: None, Limits(outbox_bytes=20_000), clock)
    room.take_in(parse_update(LONG))
    return room


def held_by(reader: Client) -> bytes:
    """The document of a client that was sent all these frames."""
    document = Document()
    for frame in reader.frames:
        message = decode_message(bytes(frame)) if frame[:1] == b"\x00" else None
        if isinstance(message, SyncStep2 | Update):
            document.take_in(parse_update(message.update))
    return document.encode()


async def test_answer_while_others_write_is_all_of_it(room: LiveRoom, clock: FakeClock) -> None:
    reader = Client(clock)
    room.join(reader.connection)
    answering = asyncio.create_task(receive(room, reader.connection, ASKED))
    for number in range(20):
        await asyncio.sleep(0)
        room.take_in(parse_update(typed(8, "x", number)))
        room.take_in(parse_update(update(client(2_000 - 100 * (number % 10), 1 + number // 10, gc()))))
    await answering
    await turns()
    assert held_by(reader) == room.document.encode()
    await reader.end()


async def test_answer_that_is_cancelled_leaves_others_theirs(room: LiveRoom, clock: FakeClock) -> None:
    one, other = Client(clock), Client(clock)
    room.join(one.connection)
    room.join(other.connection)
    cancelled = asyncio.create_task(receive(room, one.connection, ASKED))
    waiting = asyncio.create_task(receive(room, other.connection, ASKED))
    await turns(3)
    cancelled.cancel()
    with suppress(asyncio.CancelledError):
        await cancelled
    await waiting
    await turns()
    assert held_by(one) == document_of().encode()
    assert held_by(other) == room.document.encode()
    await one.end()
    await other.end()


async def test_answer_to_one_whose_access_is_taken_away_meanwhile_is_not_sent(
    room: LiveRoom, clock: FakeClock
) -> None:
    reader = Client(clock)
    room.join(reader.connection)
    answering = asyncio.create_task(receive(room, reader.connection, ASKED))
    await turns(3)
    room.close_connection(reader.connection, ForbiddenError("No more."))
    await answering
    await until(lambda: reader.has_ended)
    assert held_by(reader) == document_of().encode()
    assert reader.line.closed == (4403, "No more.")


async def test_client_that_falls_behind_again_while_it_is_brought_level_loses_nothing(
    room: LiveRoom, clock: FakeClock
) -> None:
    reader = Client(clock, Limits(outbox_bytes=2_000))
    room.join(reader.connection)
    await receive(room, reader.connection, ASKED)
    await turns()
    reader.line.stop_reading()
    for number in range(60):
        room.take_in(parse_update(typed(8, "x" * 50, 50 * number)))
        await asyncio.sleep(0)
    assert reader.connection.is_behind
    reader.line.read_again()
    for number in range(60, 200):  # more than its queue holds, at each step of what it is sent
        room.take_in(parse_update(typed(8, "x" * 50, 50 * number)))
        if number % 7 == 0:
            await asyncio.sleep(0)
    await turns(500)
    assert not reader.connection.is_behind
    assert held_by(reader) == room.document.encode()
    await reader.end()


async def test_update_of_many_clients_that_was_dropped_is_made_good(room: LiveRoom, clock: FakeClock) -> None:
    reader = Client(clock, Limits(outbox_bytes=2_000))
    room.join(reader.connection)
    await receive(room, reader.connection, ASKED)
    await turns()
    reader.line.stop_reading()
    many = [client(number, 0, gc()) for number in range(10_000, 10_000 - 2 * MAX_NOTED_CLIENTS, -1)]
    for data in (typed(9, "on its way"), update(*many), typed(8, "x" * 3_000)):
        room.take_in(parse_update(data))
        await turns(3)
    assert reader.connection.is_behind
    reader.line.read_again()
    await turns(500)
    assert held_by(reader) == room.document.encode()
    await reader.end()


async def test_one_who_asks_while_behind_gets_what_is_missing_in_what_it_says_it_has(
    room: LiveRoom, clock: FakeClock
) -> None:
    reader = Client(clock, Limits(outbox_bytes=2_000))
    room.join(reader.connection)
    await turns()
    reader.line.stop_reading()
    for number in range(60):
        room.take_in(parse_update(typed(8, "x" * 50, 50 * number)))
        await asyncio.sleep(0)
    assert reader.connection.is_behind
    await receive(room, reader.connection, create_sync_step_1_message(state_vector({8: 100})))
    reader.frames.clear()
    reader.line.read_again()
    await turns(500)
    last = [decode_message(bytes(frame)) for frame in reader.frames]
    answer = next(message for message in last if isinstance(message, SyncStep2))
    clocks = parse_update(answer.update).first_clocks
    assert (clocks[8], clocks[7], len(clocks)) == (100, 0, len(room.document.state_vector()))
    await reader.end()


async def test_long_update_goes_into_the_document_that_compaction_put_there_meanwhile(
    room: LiveRoom, clock: FakeClock
) -> None:
    editor = Client(clock)
    room.join(editor.connection)
    news = update(*[client(number, 0, gc()) for number in range(9_000, 5_000, -1)])
    receiving = asyncio.create_task(room.absorb_in_slices(news))
    await turns(5)
    assert not receiving.done()
    room.document = document_of(room.document.encode())
    await receiving
    assert room.document.contains(parse_update(news))
    await editor.end()
