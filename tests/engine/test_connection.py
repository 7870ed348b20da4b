"""A connection's outbox: bounded, in order, and never a lost update, however slowly the client reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from collab.engine.connection import Connection
from collab.engine.document import Document
from collab.engine.errors import ForbiddenError, LimitError, ResetError
from collab.engine.gate import parse_update
from collab.engine.limits import Limits
from collab.engine.pieces import Data
from collab.engine.protocol import (
    SyncStep1,
    SyncStep2,
    Update,
    create_permission_denied_message,
    create_sync_step_1_message,
    create_update_message,
    decode_message,
)
from collab.engine.reception import receive
from collab.engine.room import LiveRoom
from tests.engine.builders import state_vector, typed, update
from tests.engine.scripted import Client, FakeClock, Line, NoReplication, turns

SMALL = Limits(outbox_bytes=2000)
MakeClient = Callable[..., Client]


pytestmark = pytest.mark.usefixtures("_unpaced")


@pytest.fixture
async def make_client(clock: FakeClock) -> AsyncIterator[MakeClient]:
    clients: list[Client] = []

    def make(limits: Limits = SMALL, **options: Any) -> Client:
        clients.append(Client(clock, limits, **options))
        return clients[-1]

    yield make
    for client in clients:
        await client.end()


@pytest.fixture
def room(clock: FakeClock) -> LiveRoom:
    return LiveRoom("room", NoReplication(), lambda message: None, SMALL, clock)


def document_from(frames: list[bytes]) -> Document:
    """What a client has after these frames, each of which is right."""
    document = Document()
    for frame in frames:
        match decode_message(frame):
            case SyncStep2(data) | Update(data):
                document.take_in(parse_update(data))
    return document


async def test_send_to_a_client_that_reads_keeps_the_order(make_client: MakeClient) -> None:
    client = make_client()
    frames = [bytes((number,)) for number in range(20)]
    for frame in frames:
        client.connection.send(frame)
    await turns(50)
    assert client.frames == frames


async def test_frame_for_an_empty_outbox_goes_out_at_once(make_client: MakeClient) -> None:
    client = make_client()
    client.line.takes_at_once = True
    await turns()
    client.connection.send(b"1")
    assert client.frames == [b"1"]


async def test_frame_before_anybody_drains_the_outbox_waits(make_client: MakeClient) -> None:
    """A connection that is not in the room yet may be refused."""
    client = make_client()
    client.line.takes_at_once = True
    client.connection.send(b"1")
    assert client.frames == []
    await turns()
    assert client.frames == [b"1"]


async def test_frame_behind_one_that_waits_never_overtakes_it(make_client: MakeClient) -> None:
    client = make_client()
    await turns()
    client.connection.send(b"1")  # the line does not take it at once
    client.line.takes_at_once = True
    client.connection.send(b"2")
    await turns()
    client.connection.send(b"3")
    assert client.frames == [b"1", b"2", b"3"]


async def test_client_that_reads_on_and_off_gets_all_in_order(make_client: MakeClient) -> None:
    client = make_client()
    client.line.takes_at_once = True
    await turns()
    for number in range(60):
        if number % 7 == 3:
            client.line.stop_reading()
        elif number % 7 == 6:
            client.line.read_again()
        client.connection.send(bytes((number,)))
        await turns(number % 3)
    client.line.read_again()
    await turns()
    assert client.frames == [bytes((number,)) for number in range(60)]


async def test_client_that_does_not_read_is_brought_level_by_one_difference(
    make_client: MakeClient, room: LiveRoom
) -> None:
    client = make_client(is_reading=False)
    room.join(client.connection)
    await turns()
    for clock in range(500):
        room.take_in(parse_update(typed(7, "x", clock)))
        await turns(2)
    client.line.read_again()
    await turns(200)
    assert document_from(client.frames).encode() == room.document.encode()
    assert len(client.frames) < 10


@pytest.mark.parametrize("stop_after", [1, 3, 10, 30, 47])
async def test_client_that_reads_now_and_then_loses_no_update(
    make_client: MakeClient, room: LiveRoom, stop_after: int
) -> None:
    """Updates of several clients, with deletions and out of order; the queue overflows many times."""
    client = make_client()
    room.join(client.connection)
    for clock in range(150):
        room.take_in(parse_update(typed(7, "ab" * 40, clock * 80)))
        room.take_in(parse_update(typed(8, "x", (clock ^ 1))))  # in the wrong order, two by two
        room.take_in(parse_update(update(deletes={7: [(clock * 3, 1)]})))
        await turns(2)
        if clock % stop_after == 0:
            client.line.stop_reading()
        elif clock % stop_after == stop_after // 2:
            client.line.read_again()
    client.line.read_again()
    await turns(1000)
    assert document_from(client.frames).encode() == room.document.encode()


async def test_queue_of_a_client_that_does_not_read_stays_bounded(
    make_client: MakeClient, room: LiveRoom
) -> None:
    client = make_client(is_reading=False)
    room.join(client.connection)
    await turns()
    for clock in range(3000):
        room.take_in(parse_update(typed(7, "x", clock)))
        room.broadcast(bytes(100))
        if clock % 50 == 0:
            await turns(2)
    client.line.read_again()
    await turns(500)
    assert sum(map(len, client.frames)) < 2 * SMALL.outbox_bytes + len(room.document.encode())


async def test_tiny_frames_count_for_what_they_cost(make_client: MakeClient) -> None:
    client = make_client(is_reading=False)
    for _ in range(100):
        client.connection.send(b"\x03")
    client.line.read_again()
    await turns(200)
    assert len(client.frames) < 50


async def test_one_frame_larger_than_the_outbox_is_sent(make_client: MakeClient) -> None:
    client = make_client()
    client.connection.send(bytes(5000))
    await turns()
    assert client.frames == [bytes(5000)]


async def test_question_that_was_dropped_with_the_queue_is_asked_again(
    make_client: MakeClient, room: LiveRoom
) -> None:
    """A client that became an editor while it was behind: what it typed before must be asked for."""
    client = make_client(can_write=False, is_reading=False)
    room.join(client.connection)
    await turns()
    for clock in range(100):
        room.take_in(parse_update(typed(7, "x" * 50, clock * 50)))
        await turns(2)
    room.allow_writing(client.connection, is_allowed=True)
    already_sent = len(client.frames)
    client.line.read_again()
    await turns(100)
    questions = [
        frame for frame in client.frames[already_sent:] if isinstance(decode_message(frame), SyncStep1)
    ]
    assert len(questions) == 2  # the greeting that was on its way, and the one after the difference


async def test_close_drops_the_queue_and_sends_the_denial_and_the_close(make_client: MakeClient) -> None:
    client = make_client(is_reading=False)
    for _ in range(5):
        client.connection.send(create_update_message(b"\x00\x00"))
    await turns()
    client.connection.close(ForbiddenError("No more."), is_denial=True)
    client.connection.send(b"late")
    client.line.read_again()
    await turns()
    in_flight, *rest = client.frames
    assert in_flight == create_update_message(b"\x00\x00")
    assert rest == [create_permission_denied_message("No more.")]
    assert client.line.closed == (4403, "No more.")


async def test_close_without_a_denial_sends_only_the_close(make_client: MakeClient) -> None:
    client = make_client()
    client.connection.close(ResetError("Come back."))
    client.connection.close(ForbiddenError("The second one."), is_denial=True)
    await turns()
    assert client.frames == []
    assert client.line.closed == (4205, "Come back.")


async def test_close_while_the_client_is_behind_sends_nothing_of_the_document(
    make_client: MakeClient, room: LiveRoom
) -> None:
    client = make_client(is_reading=False)
    room.join(client.connection)
    await turns()
    for clock in range(100):
        room.take_in(parse_update(typed(7, "x" * 50, clock * 50)))
        await turns(2)
    room.close_connection(client.connection, ForbiddenError("No more."), is_denial=True)
    client.line.read_again()
    await turns()
    assert client.frames[1:] == [create_permission_denied_message("No more.")]


async def test_close_while_the_client_is_brought_level_ends_that(make_client: MakeClient) -> None:
    """Frames that were made before access was taken away, and not sent yet, are not sent after."""

    async def catch_up(known: Mapping[int, int]) -> list[Data]:
        return [b"1", b"2", b"3", b"4"]

    client = make_client(is_reading=False)
    client.connection.catch_up = catch_up
    for _ in range(3):
        client.connection.send(bytes(1500))
        await turns(2)
    client.line.stop_reading_after(b"2")
    client.line.read_again()
    await turns()
    client.connection.close(ForbiddenError("No more."), is_denial=True)
    client.line.read_again()
    await turns()
    in_flight = b"3"
    assert client.frames[1:] == [b"1", b"2", in_flight, create_permission_denied_message("No more.")]


async def test_count_message_within_rate_and_burst_is_allowed(clock: FakeClock) -> None:
    connection = Connection(Line(), Limits(messages_per_s=10, message_burst=5), clock=clock)
    for _ in range(5):
        connection.count_message()
    with pytest.raises(LimitError):
        connection.count_message()
    clock.advance(0.1)
    connection.count_message()
    with pytest.raises(LimitError):
        connection.count_message()
    clock.advance(1000)
    for _ in range(5):
        connection.count_message()
    with pytest.raises(LimitError):
        connection.count_message()


async def test_connection_whose_client_does_not_read_is_stuck_after_a_while(
    make_client: MakeClient, clock: FakeClock
) -> None:
    client = make_client(is_reading=False)
    assert not client.connection.is_stuck(60)
    client.connection.send(b"a")
    await turns()
    clock.advance(60)
    assert not client.connection.is_stuck(60)
    clock.advance(1)
    assert client.connection.is_stuck(60)
    client.line.read_again()
    await turns()
    assert not client.connection.is_stuck(60)


async def test_connection_whose_client_takes_a_long_frame_slowly_is_not_stuck(
    make_client: MakeClient, clock: FakeClock
) -> None:
    client = make_client(is_reading=False)
    client.connection.send(b"a long one")
    await turns()
    for _ in range(5):
        clock.advance(50)
        client.line.parts += 1
        assert not client.connection.is_stuck(60)
    clock.advance(61)
    assert client.connection.is_stuck(60)


async def test_abort_ends_what_waits_for_the_client(make_client: MakeClient) -> None:
    client = make_client(is_reading=False)
    client.connection.send(b"waits")
    client.connection.send(b"is queued")
    await turns()
    client.connection.abort(ResetError("Too slow."))
    await turns()
    assert client.frames == []
    assert client.line.closed == (4205, "Too slow.")
    assert client.has_ended


async def test_connection_on_which_nothing_was_sent_is_silent_after_a_while(
    make_client: MakeClient, clock: FakeClock
) -> None:
    client = make_client()
    clock.advance(18)
    assert not client.connection.is_silent(18)
    clock.advance(1)
    assert client.connection.is_silent(18)
    client.connection.send(b"a")
    await turns()
    assert not client.connection.is_silent(18)


async def test_connection_that_is_being_sent_to_is_not_silent(
    make_client: MakeClient, clock: FakeClock
) -> None:
    client = make_client(is_reading=False)
    client.connection.send(b"a")
    await turns()
    clock.advance(100)
    assert not client.connection.is_silent(18)


async def test_questions_of_a_client_that_does_not_read_cost_one_answer(
    make_client: MakeClient, room: LiveRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking is cheap, and an answer may be as large as the document."""
    client = make_client()
    room.join(client.connection)
    room.take_in(parse_update(typed(7, "x" * 3000)))
    await turns()
    client.line.stop_reading()
    client.frames.clear()
    computed: list[Any] = []
    difference = Document.difference

    def count(document: Document, known: dict[int, int]) -> bytes:
        computed.append(known)
        return difference(document, known)

    monkeypatch.setattr(Document, "difference", count)
    for clock in range(100):
        await receive(room, client.connection, create_sync_step_1_message(state_vector({7: 2000 - clock})))
    assert len(computed) < 5
    client.line.read_again()
    await turns(50)
    assert parse_update(document_from(client.frames).encode()).first_clocks == {7: 1901}
