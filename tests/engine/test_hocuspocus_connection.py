"""A Hocuspocus client in a live room: each change is confirmed once, when it is saved and not before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from collab.engine.connection import Connection
from collab.engine.errors import ForbiddenError
from collab.engine.hocuspocus import (
    REFUSED_MESSAGE,
    SAVED_MESSAGE,
    TOKEN_WANTED_MESSAGE,
    DocumentMessage,
    Stateless,
    create_authenticated_message,
    create_permission_denied_message,
    create_stateless_message,
    decode_message_of,
)
from collab.engine.hocuspocus_connection import HocuspocusConnection
from collab.engine.limits import Limits
from collab.engine.ports import StatelessMessage
from collab.engine.protocol import (
    create_sync_step_1_message,
    create_sync_step_2_message,
    create_update_message,
)
from collab.engine.reception import receive
from collab.engine.room import LiveRoom
from tests.engine.builders import state_vector, typed
from tests.engine.scripted import Client, FakeClock, NoReplication, turns

LIMITS = Limits(outbox_bytes=3000)
QUESTION = create_sync_step_1_message(state_vector({}))
NOTHING = bytes.fromhex("0000")


class Scene:
    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.replication = NoReplication()
        self.published: list[Any] = []
        self.room = LiveRoom("room", self.replication, self.published.append, LIMITS, clock)
        self.clients: list[Client] = []

    async def join(self, **options: Any) -> Client:
        client = Client(self.clock, LIMITS, **{"kind": HocuspocusConnection, **options})
        self.clients.append(client)
        self.room.join(client.connection)
        await turns()
        return client

    async def send(self, client: Client, message: bytes) -> None:
        def decode(frame: bytes) -> DocumentMessage:
            return decode_message_of(frame, 0)

        await receive(self.room, client.connection, message, decode)
        await turns()


@pytest.fixture
async def scene(clock: FakeClock) -> AsyncIterator[Scene]:
    made = Scene(clock)
    yield made
    for client in made.clients:
        await client.end()


def confirmations(client: Client) -> int:
    return client.frames.count(SAVED_MESSAGE)


def typing(count: int = 1, start: int = 0) -> list[bytes]:
    return [create_update_message(typed(7, "x", clock)) for clock in range(start, start + count)]


async def test_join_tells_the_scope_and_asks_nothing(scene: Scene) -> None:
    assert (await scene.join()).frames == [create_authenticated_message(can_write=True)]
    assert (await scene.join(can_write=False)).frames == [create_authenticated_message(can_write=False)]


async def test_question_is_answered_with_a_question_and_the_difference(scene: Scene) -> None:
    client = await scene.join()
    client.frames.clear()
    await scene.send(client, QUESTION)
    assert client.frames == [QUESTION, create_sync_step_2_message(NOTHING)]


async def test_question_in_a_reply_is_answered_without_a_question(scene: Scene) -> None:
    client = await scene.join()
    client.frames.clear()
    await scene.send(client, b"\x04" + QUESTION[1:])
    assert client.frames == [create_sync_step_2_message(NOTHING)]


async def test_update_is_confirmed_when_it_is_saved(scene: Scene) -> None:
    client, other = await scene.join(), await scene.join()
    for message in typing(2):
        await scene.send(client, message)
    assert confirmations(client) == 0
    scene.replication.save()
    await turns()
    assert (confirmations(client), confirmations(other)) == (2, 0)


async def test_update_that_is_known_is_confirmed_when_it_is_saved(scene: Scene) -> None:
    client, other = await scene.join(), await scene.join()
    await scene.send(client, typing()[0])
    await scene.send(other, typing()[0])
    assert confirmations(other) == 0
    scene.replication.save()
    await turns()
    assert (confirmations(client), confirmations(other)) == (1, 1)


async def test_every_sync_step_2_that_was_not_asked_for_is_confirmed(scene: Scene) -> None:
    client = await scene.join()
    await scene.send(client, create_sync_step_2_message(typed(7, "x", 0)))
    await scene.send(client, create_sync_step_2_message(NOTHING))
    scene.replication.save()
    await turns()
    assert confirmations(client) == 2


READER_WRITES: list[tuple[str, Callable[[bytes], bytes], bytes, bytes]] = [
    ("update with news", create_update_message, typed(9, "new"), REFUSED_MESSAGE),
    ("update without news", create_update_message, typed(7, "x", 0), REFUSED_MESSAGE),
    ("answer with news", create_sync_step_2_message, typed(9, "new"), REFUSED_MESSAGE),
    ("answer that deletes", create_sync_step_2_message, bytes.fromhex("00 01 07 01 00 01"), REFUSED_MESSAGE),
    ("answer without news", create_sync_step_2_message, typed(7, "x", 0), SAVED_MESSAGE),
    ("empty answer", create_sync_step_2_message, NOTHING, SAVED_MESSAGE),
]


@pytest.mark.parametrize(("what", "wrap", "update", "status"), READER_WRITES)
async def test_what_a_reader_writes_is_refused_unless_it_brings_nothing_new(
    scene: Scene, what: str, wrap: Callable[[bytes], bytes], update: bytes, status: bytes
) -> None:
    writer, reader = await scene.join(), await scene.join(can_write=False)
    await scene.send(writer, typing()[0])
    scene.replication.save()
    state = scene.room.document.encode()
    reader.frames.clear()
    await scene.send(reader, wrap(update))
    scene.replication.save()
    await turns()
    assert reader.frames == [status], what
    assert scene.room.document.encode() == state


async def test_denied_changes_are_confirmed_with_the_answer_that_brings_them_again(scene: Scene) -> None:
    """The client counted three: it must not say that it is synced before, and must say so then."""
    client = await scene.join(can_write=False)
    for message in typing(3):
        await scene.send(client, message)
    assert confirmations(client) == 0
    client.frames.clear()
    scene.room.allow_writing(client.connection, is_allowed=True)
    await turns()
    assert client.frames == [create_authenticated_message(can_write=True), QUESTION]
    await scene.send(client, create_sync_step_2_message(typed(7, "xxx", 0)))
    scene.replication.save()
    await turns()
    assert confirmations(client) == 3


async def test_answer_to_a_question_of_ours_alone_confirms_nothing_else(scene: Scene) -> None:
    """One confirmation too many would pass for that of the update that is not saved yet."""
    client = await scene.join(can_write=False)
    scene.room.allow_writing(client.connection, is_allowed=True)
    await scene.send(client, create_sync_step_2_message(NOTHING))
    scene.replication.save()
    await turns()
    assert confirmations(client) == 0
    await scene.send(client, QUESTION)
    await scene.send(client, create_sync_step_2_message(NOTHING))
    scene.replication.save()
    await turns()
    assert confirmations(client) == 1


async def test_role_that_changes_is_told_once(scene: Scene) -> None:
    client = await scene.join()
    client.frames.clear()
    scene.room.allow_writing(client.connection, is_allowed=True)
    scene.room.allow_writing(client.connection, is_allowed=False)
    scene.room.allow_writing(client.connection, is_allowed=False)
    await turns()
    assert client.frames == [create_authenticated_message(can_write=False)]


async def test_slow_client_is_told_of_everything_that_was_saved(scene: Scene) -> None:
    """Its queue was dropped, and with it confirmations, a question, the scope and the wish for a token."""
    client, other = await scene.join(), await scene.join()
    client.line.stop_reading()
    client.connection.send(b"on its way already")
    await scene.send(client, QUESTION)
    for message in typing(5):
        await scene.send(client, message)
    scene.replication.save()
    scene.room.allow_writing(client.connection, is_allowed=False)
    assert isinstance(client.connection, HocuspocusConnection)
    client.connection.want_token()
    for clock in range(400):
        await scene.send(other, create_update_message(typed(8, "y", clock)))
    assert client.connection.is_behind
    scene.replication.save()
    client.frames.clear()
    client.line.read_again()
    await turns(100)
    assert confirmations(client) == 5
    assert sum(frame.startswith(b"\0\0") for frame in client.frames) == 1
    assert create_authenticated_message(can_write=False) in client.frames
    assert TOKEN_WANTED_MESSAGE in client.frames
    await scene.send(client, create_sync_step_2_message(NOTHING))
    scene.replication.save()
    await turns()
    assert confirmations(client) == 6, "the answer to its own question counts"


async def test_denial_at_the_end_is_hocuspocus_own(scene: Scene) -> None:
    client = await scene.join()
    scene.room.close_connection(client.connection, ForbiddenError("Go."), is_denial=True)
    await turns()
    assert client.frames[-1] == create_permission_denied_message("Go.")


async def test_stateless_reaches_others_that_speak_hocuspocus_here_and_elsewhere(scene: Scene) -> None:
    client, other = await scene.join(), await scene.join()
    stranger = await scene.join(kind=Connection)
    for each in scene.clients:
        each.frames.clear()
    await scene.send(client, create_stateless_message("né"))
    assert (client.frames, other.frames, stranger.frames) == ([], [create_stateless_message("né")], [])
    assert scene.published == [StatelessMessage("room", "né")]
    scene.room.received(StatelessMessage("room", "from elsewhere"))
    await turns()
    assert client.frames == [create_stateless_message("from elsewhere")]


async def test_stateless_of_a_reader_reaches_nobody_and_is_a_denied_write(scene: Scene) -> None:
    reader, other = await scene.join(can_write=False), await scene.join()
    denials: list[None] = []
    reader.connection.on_write_denied = lambda: denials.append(None)
    for each in scene.clients:
        each.frames.clear()
    await scene.send(reader, create_stateless_message("hi"))
    assert (reader.frames, other.frames, scene.published, len(denials)) == ([], [], [], 1)


async def test_frame_of_an_application_does_not_reach_it(scene: Scene) -> None:
    client = await scene.join()
    client.frames.clear()
    scene.room.broadcast(b"\x66own")
    await turns()
    assert client.frames == []


def test_stateless_is_read_as_it_was_written() -> None:
    assert decode_message_of(create_stateless_message("né"), 0) == Stateless("né")
