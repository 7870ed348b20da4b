"""A live room: what clients send has an effect only if it may, and reaches everyone else once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from collab.engine.awareness import AwarenessEntry, encode_awareness
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
from collab.engine.limits import Limits
from collab.engine.ports import BroadcastFrame, PresenceChanged, PresenceQuestion, RelayMessage
from collab.engine.protocol import (
    create_awareness_message,
    create_permission_denied_message,
    create_sync_step_1_message,
    create_sync_step_2_message,
    create_update_message,
    decode_message,
)
from collab.engine.room import READ_ONLY, LiveRoom
from tests.engine.builders import client, document_of, gc, joined, state_vector, typed, update, values
from tests.engine.scripted import Client, FakeClock, NoReplication, turns

DENIED = create_permission_denied_message(READ_ONLY)
HELLO = typed(7, "hello")
DELETE = update(deletes={7: [(0, 2)]})


class Scene:
    """A room and those who are in it; `published` is what other processes would hear."""

    def __init__(self, clock: FakeClock, limits: Limits, *, tries_at_once: bool) -> None:
        self.clock = clock
        self.tries_at_once = tries_at_once
        self.limits = limits
        self.replication = NoReplication()
        self.published: list[RelayMessage] = []
        self.room = LiveRoom("room", self.replication, self.published.append, limits, clock)
        self.clients: list[Client] = []

    async def join(self, **options: Any) -> Client:
        """Let a client in; what it was greeted with is forgotten."""
        joining = Client(self.clock, self.limits, **options)
        self.clients.append(joining)
        self.room.join(joining.connection)
        await turns()
        joining.frames.clear()
        return joining

    async def send(self, sender: Client, frame: bytes) -> None:
        if not (self.tries_at_once and self.room.receive_at_once(sender.connection, frame)):
            await self.room.receive(sender.connection, frame)
        await turns()


MakeScene = Callable[..., Scene]


@pytest.fixture(params=[False, True], ids=["in turn", "at once"])
async def make_scene(clock: FakeClock, request: pytest.FixtureRequest) -> AsyncIterator[MakeScene]:
    """Scenes for either way that frames come in: by the task of the connection, or past it where they can."""
    scenes: list[Scene] = []

    def make(**limits: int) -> Scene:
        scenes.append(Scene(clock, Limits(**limits), tries_at_once=request.param))
        return scenes[-1]

    yield make
    for scene in scenes:
        for member in scene.clients:
            await member.end()


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene()


def presence(*entries: tuple[int, int, bytes]) -> bytes:
    return create_awareness_message(encode_awareness([AwarenessEntry(*entry) for entry in entries]))


# -- joining


async def test_join_greets_with_a_question_and_who_is_there(scene: Scene) -> None:
    scene.room.take_in(parse_update(HELLO))
    await scene.send(await scene.join(), presence((1, 0, b"{}")))
    newcomer = Client(scene.clock)
    scene.clients.append(newcomer)
    scene.room.join(newcomer.connection)
    await turns()
    assert newcomer.frames == [
        create_sync_step_1_message(state_vector({7: 5})),
        presence((1, 0, b"{}")),
    ]


async def test_join_of_a_full_room_is_refused(make_scene: MakeScene) -> None:
    scene = make_scene(max_connections_per_room=2)
    await scene.join()
    leaving = await scene.join()
    with pytest.raises(LimitError):
        await scene.join()
    scene.room.leave(leaving.connection)
    await scene.join()


async def test_join_with_too_many_connections_of_one_user_is_refused(make_scene: MakeScene) -> None:
    scene = make_scene(max_connections_per_user_and_room=2)
    anna, ben = uuid4(), uuid4()
    for _ in range(2):
        await scene.join(user_id=anna)
    with pytest.raises(LimitError):
        await scene.join(user_id=anna)
    await scene.join(user_id=ben)
    for _ in range(3):
        await scene.join()  # nobody's are not one user's


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


async def test_update_reaches_everyone_but_its_author_as_it_came(scene: Scene) -> None:
    author, reader = await scene.join(), await scene.join(can_write=False)
    await scene.send(author, create_update_message(HELLO))
    assert author.frames == []
    assert reader.frames == [create_update_message(HELLO)]
    assert scene.replication.recorded == [HELLO]


async def test_update_that_is_known_reaches_nobody(scene: Scene) -> None:
    author, reader = await scene.join(), await scene.join()
    for frame in (create_update_message(HELLO), create_sync_step_2_message(HELLO)):
        await scene.send(author, frame)
    assert reader.frames == [create_update_message(HELLO)]
    assert scene.replication.recorded == [HELLO]


async def test_updates_of_one_turn_go_out_as_one(scene: Scene) -> None:
    authors = [await scene.join() for _ in range(3)]
    reader = await scene.join()
    updates = [typed(number, "x" * number) for number in (1, 2, 3)]
    for author, data in zip(authors, updates, strict=True):
        await scene.room.receive(author.connection, create_update_message(data))
    await turns()
    for member in (*authors, reader):
        assert member.frames == [create_update_message(joined(updates).data)]


async def test_update_does_not_go_back_to_its_author(scene: Scene) -> None:
    author, reader = await scene.join(), await scene.join()
    await scene.send(author, create_update_message(HELLO))
    await turns()
    assert reader.frames == [create_update_message(HELLO)]
    assert author.frames == []


async def test_updates_of_one_author_keep_their_order(scene: Scene) -> None:
    author, reader = await scene.join(), await scene.join()
    for clock in range(20):
        await scene.room.receive(author.connection, create_update_message(typed(7, "x", clock)))
        if clock % 3 == 0:
            await turns()
    await turns()
    clocks = [parse_update(decode_message(frame).update).first_clocks[7] for frame in reader.frames]  # type: ignore[union-attr]
    assert clocks == sorted(clocks)
    document = document_of(*[decode_message(frame).update for frame in reader.frames])  # type: ignore[union-attr]
    assert document.encode() == scene.room.document.encode()


async def test_long_update_that_is_cancelled_while_it_is_walked_leaves_nothing(scene: Scene) -> None:
    author = await scene.join()
    long = update(client(7, 0, *[gc()] * 50_000))
    task = asyncio.create_task(scene.room.receive(author.connection, create_update_message(long)))
    await turns(3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert scene.room.document.is_empty
    assert scene.replication.recorded == []


async def test_long_update_of_a_connection_that_is_closed_meanwhile_is_dropped(scene: Scene) -> None:
    author = await scene.join()
    long = update(client(7, 0, *[gc()] * 50_000))
    task = asyncio.create_task(scene.room.receive(author.connection, create_update_message(long)))
    await turns(3)
    scene.room.close_connection(author.connection, ForbiddenError("No more."))
    await task
    assert scene.room.document.is_empty


# -- echo


async def test_echo_comes_only_when_the_update_is_saved(scene: Scene) -> None:
    author = await scene.join(wants_echo=True)
    await scene.send(author, create_update_message(HELLO))
    assert author.frames == []
    scene.replication.save()
    await turns()
    assert author.frames == [create_update_message(HELLO)]


async def test_echo_of_an_update_that_is_known_waits_for_what_was_recorded_before(scene: Scene) -> None:
    """A reconnect sends again what may not have been committed yet."""
    first, second = await scene.join(wants_echo=True), await scene.join(wants_echo=True)
    await scene.send(first, create_update_message(HELLO))
    await scene.send(second, create_update_message(HELLO))
    second.frames.clear()
    await turns()
    assert second.frames == []
    scene.replication.save()
    await turns()
    assert create_update_message(HELLO) in second.frames
    assert first.frames == [create_update_message(HELLO)]


async def test_nothing_unsaved_reaches_who_asked_for_the_echo(scene: Scene) -> None:
    """Their own update, brought back by someone else, would look like the promise that it is saved."""
    author, other = await scene.join(wants_echo=True), await scene.join()
    await scene.send(author, create_update_message(HELLO))
    await scene.send(other, create_update_message(typed(8, "y")))
    await turns()
    assert author.frames == []
    scene.replication.save()
    await turns()
    assert author.frames == [create_update_message(HELLO), create_update_message(typed(8, "y"))]


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


# -- past the task of the connection


@pytest.mark.parametrize("frame", [create_update_message(HELLO), presence((1, 0, b"{}"))])
async def test_short_update_and_presence_are_handled_at_once(scene: Scene, frame: bytes) -> None:
    author, other = await scene.join(), await scene.join()
    assert scene.room.receive_at_once(author.connection, frame)
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
    assert not scene.room.receive_at_once(author.connection, create_update_message(HELLO))
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
    assert not scene.room.receive_at_once(author.connection, frame)
    await turns()
    assert (author.frames, other.frames) == ([], [])


async def test_failure_past_the_task_ends_the_connection(scene: Scene) -> None:
    author, other = await scene.join(), await scene.join()
    scene.room.followers.append(Broken())
    assert scene.room.receive_at_once(author.connection, create_update_message(HELLO))
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


# -- presence


async def test_presence_reaches_everyone_else_and_other_processes(scene: Scene) -> None:
    author, other = await scene.join(user_id=UUID(int=1)), await scene.join(can_write=False)
    await scene.send(author, presence((1, 0, b"{}")))
    assert author.frames == []
    assert other.frames == [presence((1, 0, b"{}"))]
    assert scene.published == [
        PresenceChanged("room", author.connection.id, str(UUID(int=1)), presence((1, 0, b"{}"))[2:])
    ]


async def test_presence_of_a_connection_that_leaves_is_taken_away(scene: Scene) -> None:
    author, other = await scene.join(), await scene.join()
    await scene.send(author, presence((1, 4, b"{}")))
    scene.room.leave(author.connection)
    scene.room.leave(author.connection)
    await turns()
    assert other.frames[1:] == [presence((1, 5, b"null"))]
    assert len(scene.published) == 2


async def test_presence_of_too_many_clients_ends_the_connection_and_reaches_nobody(scene: Scene) -> None:
    author, other = await scene.join(), await scene.join()
    with pytest.raises(MalformedError):
        await scene.send(author, presence(*[(number, 0, b"{}") for number in range(100)]))
    await turns()
    assert other.frames == []
    assert scene.published == []


async def test_query_for_presence_is_answered(scene: Scene) -> None:
    author, other = await scene.join(), await scene.join()
    await scene.send(other, b"\x03")
    assert other.frames == []
    await scene.send(author, presence((1, 0, b"{}")))
    other.frames.clear()
    await scene.send(other, b"\x03")
    assert other.frames == [presence((1, 0, b"{}"))]


async def test_presence_is_one_frame_for_all_who_ask_until_it_changes(scene: Scene) -> None:
    member, asking = await scene.join(), await scene.join()
    await scene.send(member, presence((1, 0, b"{}")))
    asking.frames.clear()
    for _ in range(50):
        await scene.send(asking, b"\x03")
    assert asking.frames == [presence((1, 0, b"{}"))] * 50
    assert len({id(frame) for frame in asking.frames}) == 1
    await scene.send(member, presence((1, 1, b'{"a":1}')))
    asking.frames.clear()
    await scene.send(asking, b"\x03")
    assert asking.frames == [presence((1, 1, b'{"a":1}'))]
    scene.room.leave(member.connection)
    await turns()
    asking.frames.clear()
    await scene.send(asking, b"\x03")
    assert asking.frames == []


async def test_presence_of_another_process_reaches_everyone_and_is_not_sent_on(scene: Scene) -> None:
    member = await scene.join()
    scene.room.received(PresenceChanged("room", "elsewhere", "ben", presence((9, 1, b"{}"))[2:]))
    await turns()
    assert member.frames == [presence((9, 1, b"{}"))]
    assert scene.published == []


async def test_question_for_presence_is_answered_with_own_clients_only(scene: Scene) -> None:
    author = await scene.join()
    await scene.send(author, presence((1, 0, b"{}")))
    scene.room.received(PresenceChanged("room", "elsewhere", "ben", presence((9, 1, b"{}"))[2:]))
    scene.published.clear()
    scene.room.received(PresenceQuestion("room"))
    assert scene.published == [
        PresenceChanged("room", author.connection.id, None, presence((1, 0, b"{}"))[2:])
    ]


async def test_presence_that_nobody_renews_expires(scene: Scene) -> None:
    member = await scene.join()
    scene.room.received(PresenceChanged("room", "elsewhere", "ben", presence((9, 1, b"{}"))[2:]))
    await scene.send(member, presence((1, 0, b"{}")))
    member.frames.clear()
    scene.clock.advance(46)
    scene.room.presence.expire()
    await turns()
    assert member.frames == [presence((9, 2, b"null"))]


# -- frames of the application


async def test_frame_of_the_application_reaches_everyone_here_and_elsewhere(scene: Scene) -> None:
    members = [await scene.join() for _ in range(2)]
    scene.room.broadcast_everywhere(b"\x66hi")
    scene.room.received(BroadcastFrame("room", b"\x66there"))
    await turns()
    assert [member.frames for member in members] == [[b"\x66hi", b"\x66there"]] * 2
    assert scene.published == [BroadcastFrame("room", b"\x66hi")]


class Broken:
    """A follower with a fault of its own."""

    def apply(self, update: bytes) -> None:
        raise RuntimeError("broken")


class Follower:
    def __init__(self) -> None:
        self.updates: list[bytes] = []

    def apply(self, update: bytes) -> None:
        self.updates.append(update)


async def test_follower_gets_every_update_once(scene: Scene) -> None:
    follower = Follower()
    scene.room.followers.append(follower)
    author = await scene.join()
    await scene.send(author, create_update_message(HELLO))
    await scene.send(author, create_update_message(HELLO))
    scene.room.absorb(parse_update(typed(8, "x")))
    scene.room.absorb(parse_update(typed(8, "x")))
    assert follower.updates == [HELLO, typed(8, "x")]
