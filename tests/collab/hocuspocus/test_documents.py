"""Documents of one socket: what they share with others, and what a viewer is told."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from collab.engine.protocol import (
    create_awareness_message,
    create_sync_step_2_message,
    create_update_message,
)
from collab.live import LiveEngine
from collab.models import Room, RoomRole, StoredUpdate
from tests.collab.hocuspocus.client import (
    AUTHENTICATED,
    LEAVE,
    READ_ONLY,
    REFUSED,
    SAVED,
    HocuspocusDocument,
)
from tests.collab.hocuspocus.scenes import (
    document,
    in_roster,
    make_role,
    socket,
    token_of,
    y_websocket,
)
from tests.engine.builders import typed, update, var_bytes
from tests.factories import make_room

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("engine")]


async def test_clients_of_both_protocols_share_a_room(room: Room, user: User, owner: User) -> None:
    async with (
        document(room, user) as first,
        document(room, owner) as second,
        y_websocket(room, user) as third,
    ):
        await first.write("one ")
        await third.wait_for_text("one ")
        await second.wait_for_text("one ")
        await third.write("two ")
        await first.wait_for_text("one two ")
        await second.wait_for_text("one two ")
        await second.write("three")
        await third.wait_for_text("one two three")


async def test_sync_status_comes_when_the_update_is_in_the_database(room: Room, user: User) -> None:
    async with document(room, user) as opened:
        before = await StoredUpdate.objects.filter(room=room).acount()
        await opened.write("kept")
        await opened.wait_for(SAVED)
        assert await StoredUpdate.objects.filter(room=room).acount() == before + 1


async def test_many_documents_on_one_socket_are_rooms_of_their_own(user: User) -> None:
    rooms = [await sync_to_async(make_room)(editor=user) for _ in range(3)]
    async with socket() as opened:
        documents = [HocuspocusDocument(opened, room.pk) for room in rooms]
        for each in documents:
            await each.open(await token_of(user))
        for number, each in enumerate(documents):
            await each.write(str(number))
            await each.wait_for(SAVED)
        for number, room in enumerate(rooms):
            async with document(room, user) as newcomer:
                assert str(newcomer.text) == str(number)


async def test_two_sessions_of_a_document_on_one_socket_are_two_connections(room: Room, user: User) -> None:
    async with socket() as opened:
        first = HocuspocusDocument(opened, f"{room.pk}\0abc")
        second = HocuspocusDocument(opened, f"{room.pk}\0xyz")
        for each in (first, second):
            await each.open(await token_of(user))
        await first.write("from the first")
        await second.wait_for_text("from the first")
        await first.send(LEAVE)
        await second.write(", from the second")
        await second.wait_for(SAVED)
        assert await opened.is_quiet(), "nothing comes for the one that has left"


async def test_document_is_in_the_roster_until_it_is_left(room: Room, user: User, engine: LiveEngine) -> None:
    async with document(room, user) as opened:
        (row,) = await in_roster(room, 1)
        assert (row.protocol, row.user_id, row.role) == ("hocuspocus", user.pk, "editor")
        await opened.send(LEAVE)
        await in_roster(room, 0)


async def test_document_that_was_left_can_be_opened_again(room: Room, user: User) -> None:
    async with document(room, user) as opened:
        await opened.write("before")
        await opened.wait_for(SAVED)
        await opened.send(LEAVE)
        again = HocuspocusDocument(opened.socket, room.pk)
        await again.open(await token_of(user))
        assert str(again.text) == "before"


async def test_presence_reaches_the_other_protocol_and_goes_when_the_document_is_left(
    room: Room, user: User
) -> None:
    message = create_awareness_message(b"\x01\x07\x01" + var_bytes(b'{"cursor": 3}'))
    async with y_websocket(room, user) as other, document(room, user) as opened:
        await opened.send(message)
        seen = await other.communicator.receive_bytes()
        assert seen.startswith(b"\x01")
        assert b'"cursor"' in seen
        await opened.send(b"\x03")
        assert await opened.receive() == seen
        await opened.send(LEAVE)
        assert await other.communicator.receive_bytes() == create_awareness_message(b"\x01\x07\x02\x04null")


@pytest.mark.parametrize(
    ("what", "message", "status"),
    [
        ("an update", create_update_message(typed(9, "x")), REFUSED),
        ("an answer", create_sync_step_2_message(typed(9, "x")), REFUSED),
        ("a deletion", create_sync_step_2_message(update(deletes={7: [(0, 1)]})), REFUSED),
        ("nothing new", create_sync_step_2_message(typed(7, "there")), SAVED),
    ],
)
async def test_viewer_is_told_what_became_of_a_write(
    owner: User, user: User, what: str, message: bytes, status: bytes
) -> None:
    room = await sync_to_async(make_room)(owner=owner, viewer=user)
    async with document(room, owner) as writer:
        await writer.send(create_update_message(typed(7, "there")))
        await writer.wait_for(SAVED)
    count = await StoredUpdate.objects.filter(room=room).acount()
    async with document(room, user) as opened:
        await opened.send(message)
        assert await opened.receive() == status, what
    assert await StoredUpdate.objects.filter(room=room).acount() == count


async def test_role_that_changes_is_told_and_holds_at_once(room: Room, owner: User, user: User) -> None:
    async with document(room, user) as opened:
        await make_role(room, owner, user, RoomRole.VIEWER)
        await opened.wait_for(READ_ONLY)
        await opened.write("typed as a viewer")
        await opened.wait_for(REFUSED)
        await make_role(room, owner, user, RoomRole.EDITOR)
        await opened.wait_for(AUTHENTICATED)
        await opened.wait_for(SAVED)
        async with document(room, owner) as other:
            assert str(other.text) == "typed as a viewer"
