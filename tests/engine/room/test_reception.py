"""What clients send has an effect only if it may, and what is wrong with it ends its connection alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from collab.engine.connection import NOT_ANY_MORE
from collab.engine.errors import (
    CollabError,
    ForbiddenError,
    LimitError,
    MalformedError,
    MessageTooBigError,
    UnavailableError,
)
from collab.engine.gate import parse_update
from collab.engine.protocol import (
    create_permission_denied_message,
    create_sync_step_1_message,
    create_sync_step_2_message,
    create_update_message,
)
from collab.engine.reception import READ_ONLY, receive, receive_at_once
from tests.engine.builders import client, gc, state_vector, typed, update, values
from tests.engine.room.scenes import HELLO, MakeScene, Scene, presence
from tests.engine.scripted import Client, turns

DENIED = create_permission_denied_message(READ_ONLY)
DELETE = update(deletes={7: [(0, 2)]})


# -- sync


@pytest.mark.parametrize(
    ("known", "expected"),
    [({}, HELLO), ({7: 2}, update(client(7, 2, b"\x84\x07\x01\x03llo"))), ({7: 5}, b"\x00\x00")],
)
async def test_sync_step_1_is_answered_with_what_is_missing(
    scene: Scene, known: dict[int, int], expected: bytes
) -> None:
    scene.room.take_in(parse_update(HELLO))
    reader = await scene.join(can_write=False)
    await scene.send(reader, create_sync_step_1_message(state_vector(known)))
    assert reader.frames == [create_sync_step_2_message(expected)]


async def test_sync_step_1_with_too_many_clients_ends_the_connection(make_scene: MakeScene) -> None:
    scene = make_scene(max_structs_per_update=2000)
    member = await scene.join()
    with pytest.raises(LimitError):
        await scene.send(member, create_sync_step_1_message(state_vector(dict.fromkeys(range(2001), 1))))


async def test_long_update_that_is_cancelled_while_it_is_walked_leaves_nothing(scene: Scene) -> None:
    author = await scene.join()
    long = update(client(7, 0, *[gc()] * 50_000))
    task = asyncio.create_task(receive(scene.room, author.connection, create_update_message(long)))
    await turns(3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert scene.room.document.is_empty
    assert scene.replication.recorded == []


async def test_long_update_of_a_connection_that_is_closed_meanwhile_is_dropped(scene: Scene) -> None:
    author = await scene.join()
    long = update(client(7, 0, *[gc()] * 50_000))
    task = asyncio.create_task(receive(scene.room, author.connection, create_update_message(long)))
    await turns(3)
    scene.room.close_connection(author.connection, ForbiddenError("No more."))
    await task
    assert scene.room.document.is_empty


# -- rights


@pytest.mark.parametrize(
    "frame",
    [
        create_update_message(HELLO),
        create_update_message(b"\x00\x00"),
        create_sync_step_2_message(HELLO),
        create_sync_step_2_message(DELETE),
        create_update_message(DELETE),
    ],
    ids=["update", "empty update", "answer with news", "answer that deletes", "update that deletes"],
)
async def test_write_of_a_reader_is_denied_without_any_effect(scene: Scene, frame: bytes) -> None:
    reader, other = await scene.join(can_write=False), await scene.join()
    await scene.send(reader, frame)
    assert reader.frames == [DENIED]
    assert other.frames == []
    assert scene.room.document.is_empty
    assert scene.replication.recorded == []


@pytest.mark.parametrize("answer", [b"\x00\x00", HELLO, DELETE, typed(7, "he")])
async def test_answer_of_a_reader_that_brings_nothing_new_is_accepted(scene: Scene, answer: bytes) -> None:
    scene.room.take_in(parse_update(HELLO))
    scene.room.take_in(parse_update(DELETE))
    reader = await scene.join(can_write=False)
    await scene.send(reader, create_sync_step_2_message(answer))
    assert reader.frames == []


async def test_denied_write_is_told_to_whoever_wants_to_know_each_time(scene: Scene) -> None:
    scene.room.take_in(parse_update(HELLO))
    reader, told = await scene.join(can_write=False), []
    reader.connection.on_write_denied = lambda: told.append(None)
    await scene.send(reader, create_sync_step_2_message(HELLO))
    assert told == []
    for number in range(1, 3):
        await scene.send(reader, create_update_message(HELLO))
        assert len(told) == number


async def test_update_that_is_refused_for_another_reason_is_no_denied_write(make_scene: MakeScene) -> None:
    scene = make_scene(max_document_bytes=1)
    writer, told = await scene.join(), []
    writer.connection.on_write_denied = lambda: told.append(None)
    await scene.send(writer, create_update_message(HELLO))
    assert len(writer.frames) == 1
    assert told == []


async def test_connection_that_is_lowered_is_told_once_and_denied_from_then_on(scene: Scene) -> None:
    writer = await scene.join()
    for _ in range(2):
        scene.room.allow_writing(writer.connection, is_allowed=False)
    await turns()
    assert writer.frames == [create_permission_denied_message(NOT_ANY_MORE)]
    await scene.send(writer, create_update_message(HELLO))
    assert writer.frames[1:] == [DENIED]


async def test_connection_that_is_raised_is_asked_once_for_what_was_denied(scene: Scene) -> None:
    reader = await scene.join(can_write=False)
    for _ in range(2):
        scene.room.allow_writing(reader.connection, is_allowed=True)
    await turns()
    assert reader.frames == [create_sync_step_1_message(b"\x00")]


async def test_frames_of_a_closed_connection_have_no_effect(scene: Scene) -> None:
    author, other = await scene.join(), await scene.join()
    scene.room.close_connection(author.connection, ForbiddenError("No more."), is_denial=True)
    for frame in (
        create_update_message(HELLO),
        create_sync_step_2_message(HELLO),
        create_sync_step_1_message(b"\x00"),
        presence((1, 0, b"{}")),
        b"\x03",
        b"malformed",
    ):
        await scene.send(author, frame)
    assert author.frames == [create_permission_denied_message("No more.")]
    assert other.frames == []
    assert scene.room.document.is_empty
    assert scene.room.presence.awareness.entries() == []


class Broken:
    """A follower with a fault of its own."""

    def apply(self, update: bytes) -> None:
        raise RuntimeError("broken")


# -- past the task of the connection


@pytest.mark.parametrize("frame", [create_update_message(HELLO), presence((1, 0, b"{}"))])
async def test_short_update_and_presence_are_handled_at_once(scene: Scene, frame: bytes) -> None:
    author, other = await scene.join(), await scene.join()
    assert receive_at_once(scene.room, author.connection, frame)
    await turns()
    assert other.frames == [frame]


async def in_doubt(scene: Scene, author: Client) -> None:
    author.connection.confirmation = asyncio.Event()


async def working_too_much(scene: Scene, author: Client) -> None:
    author.connection.meter.charge(10)


async def closed(scene: Scene, author: Client) -> None:
    scene.room.close_connection(author.connection, ForbiddenError("No more."))


async def too_fast(scene: Scene, author: Client) -> None:
    for _ in range(scene.limits.message_burst):
        author.connection.count_message()


async def not_kept(scene: Scene, author: Client) -> None:
    scene.replication.refusal = UnavailableError("The store does not keep up.")


@pytest.mark.parametrize("become", [in_doubt, working_too_much, closed, too_fast, not_kept])
async def test_update_that_has_to_wait_or_ends_the_connection_is_left_to_its_task(
    scene: Scene, become: Callable[[Scene, Client], Awaitable[None]]
) -> None:
    author, other = await scene.join(), await scene.join()
    await become(scene, author)
    assert not receive_at_once(scene.room, author.connection, create_update_message(HELLO))
    await turns()
    assert other.frames == []
    assert scene.room.document.is_empty


@pytest.mark.parametrize(
    "frame",
    [
        create_sync_step_1_message(b"\x00"),
        create_sync_step_2_message(HELLO),
        create_update_message(typed(7, "x" * 5_000)),
        presence((1, 0, b'"' + b"x" * 5_000 + b'"')),
        b"\x03",
        b"",
        b"\x09",
        b"\x00\x02\x01\xff",
        b"\x01\x01\x05",
    ],
)
async def test_anything_else_is_left_to_the_task(scene: Scene, frame: bytes) -> None:
    author, other = await scene.join(), await scene.join()
    assert not receive_at_once(scene.room, author.connection, frame)
    await turns()
    assert (author.frames, other.frames) == ([], [])


async def test_failure_past_the_task_ends_the_connection(scene: Scene) -> None:
    author, other = await scene.join(), await scene.join()
    scene.room.followers.append(Broken())
    assert receive_at_once(scene.room, author.connection, create_update_message(HELLO))
    await turns()
    assert author.line.closed == (CollabError.close_code, "Internal error.")
    assert other.line.closed is None


# -- limits


async def test_message_that_is_too_big_ends_the_connection(make_scene: MakeScene) -> None:
    scene = make_scene(max_message_bytes=100)
    author = await scene.join()
    with pytest.raises(MessageTooBigError):
        await scene.send(author, create_update_message(typed(7, "x" * 100)))


async def test_messages_beyond_the_rate_end_the_connection(make_scene: MakeScene) -> None:
    scene = make_scene(message_burst=3)
    author = await scene.join()
    for _ in range(3):
        await scene.send(author, b"\x03")
    with pytest.raises(LimitError):
        await scene.send(author, b"\x03")


@pytest.mark.parametrize(
    "frame", [b"", b"\x09", b"\x00\x02\x01\xff", b"\x00\x02\x02\x01\x01", b"\x01\x01\x05"]
)
async def test_malformed_frame_ends_the_connection(scene: Scene, frame: bytes) -> None:
    author = await scene.join()
    with pytest.raises(MalformedError):
        await scene.send(author, frame)


async def test_update_beyond_the_size_of_a_document_is_denied_and_the_socket_stays(
    make_scene: MakeScene,
) -> None:
    scene = make_scene(max_document_bytes=2000)
    author, other = await scene.join(), await scene.join()
    await scene.send(author, create_update_message(typed(8, "z" * 1500)))
    before = scene.room.document.encode()
    other.frames.clear()
    await scene.send(author, create_update_message(typed(9, "q" * 900)))
    assert author.frames == [create_permission_denied_message("The document has reached 2000 bytes.")]
    assert other.frames == []
    assert scene.room.document.encode() == before
    await scene.send(author, create_update_message(HELLO))
    assert scene.room.document.contains(parse_update(HELLO))


async def test_full_document_still_accepts_what_it_has(make_scene: MakeScene) -> None:
    scene = make_scene(max_document_bytes=300)
    author = await scene.join(wants_echo=True)
    await scene.send(author, create_update_message(HELLO))
    await scene.send(author, create_sync_step_2_message(HELLO))
    scene.replication.save()
    await turns()
    assert author.frames == [create_update_message(HELLO)] * 2


async def test_update_with_too_many_structs_is_denied_and_the_socket_stays(make_scene: MakeScene) -> None:
    scene = make_scene(max_structs_per_update=10)
    author = await scene.join()
    await scene.send(author, create_update_message(update(client(7, 0, *[gc()] * 11))))
    assert author.frames[0].startswith(b"\x02\x00")
    await scene.send(author, create_update_message(HELLO))
    assert scene.replication.recorded == [HELLO]


async def test_update_that_could_not_be_kept_is_not_taken_in(scene: Scene) -> None:
    author, other = await scene.join(), await scene.join()
    scene.replication.refusal = UnavailableError("The store does not keep up.")
    with pytest.raises(UnavailableError):
        await scene.send(author, create_update_message(HELLO))
    assert scene.room.document.is_empty
    assert other.frames == []


async def test_lossy_content_goes_through_unchanged(scene: Scene) -> None:
    author, reader = await scene.join(), await scene.join()
    data = update(client(7, 0, values(b"\x7a" + bytes(8), b"\x7d\x40")))
    await scene.send(author, create_update_message(data))
    newcomer = await scene.join()
    await scene.send(newcomer, create_sync_step_1_message(b"\x00"))
    assert reader.frames == [create_update_message(data)]
    assert newcomer.frames == [create_sync_step_2_message(data)]
