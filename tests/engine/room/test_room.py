"""A live room: what is taken in reaches everyone else once, and who is there is known to all."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from collab.engine.errors import LimitError, MalformedError
from collab.engine.gate import parse_update
from collab.engine.ports import BroadcastFrame, PresenceChanged, PresenceQuestion
from collab.engine.protocol import (
    create_sync_step_1_message,
    create_sync_step_2_message,
    create_update_message,
    decode_message,
)
from collab.engine.reception import receive
from tests.engine.builders import document_of, joined, state_vector, typed
from tests.engine.room.scenes import HELLO, MakeScene, Scene, presence
from tests.engine.scripted import Client, turns

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


# -- sync


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
        await receive(scene.room, author.connection, create_update_message(data))
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
        await receive(scene.room, author.connection, create_update_message(typed(7, "x", clock)))
        if clock % 3 == 0:
            await turns()
    await turns()
    clocks = [parse_update(decode_message(frame).update).first_clocks[7] for frame in reader.frames]  # type: ignore[union-attr]
    assert clocks == sorted(clocks)
    document = document_of(*[decode_message(frame).update for frame in reader.frames])  # type: ignore[union-attr]
    assert document.encode() == scene.room.document.encode()


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
