"""The access source over the database: what leases are made of."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError

from accounts.models import User
from accounts.tokens import Credential
from collab.access import DatabaseAccess
from collab.engine.errors import ForbiddenError, UnavailableError
from collab.live_access import Subject
from collab.models import Room, RoomMember, RoomRole
from collab.services import connections, members, rooms
from tests.factories import make_connection, make_room, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def access() -> AsyncIterator[DatabaseAccess]:
    access = DatabaseAccess()
    yield access
    await asyncio.to_thread(access.close)


@sync_to_async
def shared_room() -> tuple[Room, User, User, User]:
    """A room with its owner, editor and viewer."""
    owner, editor, viewer = make_user(), make_user(), make_user()
    return make_room(owner=owner, editor=editor, viewer=viewer), owner, editor, viewer


async def test_stranger_and_unknown_room_resolve_to_none(access: DatabaseAccess) -> None:
    room, _, editor, _ = await shared_room()
    stranger = await sync_to_async(make_user)()
    assert await access.resolve(Subject(stranger.pk), str(room.pk)) is None
    assert await access.resolve(Subject(editor.pk), str(uuid4())) is None
    assert await access.resolve(Subject(uuid4()), str(room.pk)) is None


async def test_viewer_resolves_to_reading_and_editor_to_writing(access: DatabaseAccess) -> None:
    room, _, editor, viewer = await shared_room()
    seen = await access.resolve(Subject(viewer.pk), str(room.pk))
    written = await access.resolve(Subject(editor.pk), str(room.pk))
    assert seen is not None
    assert written is not None
    assert (seen.can_write, written.can_write) == (False, True)


async def test_grant_holds_as_long_as_nothing_moves(access: DatabaseAccess) -> None:
    room, _, editor, _ = await shared_room()
    grant = await access.resolve(Subject(editor.pk), str(room.pk))
    assert grant is not None
    assert await access.current_epochs(grant.epochs) == grant.epochs


async def test_lowered_role_moves_an_epoch_of_the_grant(access: DatabaseAccess) -> None:
    room, owner, editor, _ = await shared_room()
    grant = await access.resolve(Subject(editor.pk), str(room.pk))
    assert grant is not None
    member = await RoomMember.objects.aget(room=room, user=editor)
    await sync_to_async(members.change_room_member_role)(
        actor=owner, room_id=room.pk, member_id=member.pk, role=RoomRole.VIEWER
    )
    assert await access.current_epochs(grant.epochs) != grant.epochs


async def test_kicked_connection_moves_an_epoch_and_is_refused_while_another_of_its_user_is_not(
    access: DatabaseAccess,
) -> None:
    room, owner, editor, _ = await shared_room()
    kicked, other = [await sync_to_async(make_connection)(room, editor) for _ in range(2)]
    grants = [
        await access.resolve(Subject(editor.pk, connection_id=row.pk), str(room.pk))
        for row in (kicked, other)
    ]
    await sync_to_async(connections.kick)(actor=owner, room_id=room.pk, connection_id=kicked.pk)
    for row, grant, holds in zip((kicked, other), grants, (False, True), strict=True):
        assert grant is not None
        assert row.pk in grant.epochs
        current = await access.current_epochs(grant.epochs)
        assert all(current.get(key) == epoch for key, epoch in grant.epochs.items()) == holds
    with pytest.raises(ForbiddenError):
        await access.resolve(Subject(editor.pk, connection_id=kicked.pk), str(room.pk))
    assert await access.resolve(Subject(editor.pk, connection_id=other.pk), str(room.pk)) == grants[1]


async def test_trashed_room_and_deactivated_user_have_no_epoch(access: DatabaseAccess) -> None:
    room, owner, editor, _ = await shared_room()
    await User.objects.filter(pk=editor.pk).aupdate(is_active=False)
    await sync_to_async(rooms.trash_room)(actor=owner, room_id=room.pk)
    assert await access.current_epochs([room.pk, editor.pk, owner.pk]) == {
        owner.pk: (await User.objects.aget(pk=owner.pk)).access_epoch
    }


async def test_database_that_does_not_answer_is_unavailable(
    access: DatabaseAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr("collab.live_access.find_room_access", fail)
    with pytest.raises(UnavailableError):
        await access.resolve(Subject(uuid4()), str(uuid4()))


async def test_epochs_of_more_keys_than_one_query_takes_are_all_found(access: DatabaseAccess) -> None:
    room, _, _, _ = await shared_room()
    keys = [uuid4() for _ in range(25_000)]
    assert await access.current_epochs([*keys, room.pk]) == {room.pk: room.access_epoch}


async def test_epochs_do_not_wait_for_checks_that_hang(access: DatabaseAccess) -> None:
    room, _, editor, _ = await shared_room()
    goes_on = threading.Event()

    def hang() -> tuple[User, Credential]:
        assert goes_on.wait(timeout=30)
        return editor, Credential(editor.pk, expires_at=0.0)

    hanging = [asyncio.create_task(access.authenticate(hang)) for _ in range(8)]
    await asyncio.sleep(0)
    found = await asyncio.wait_for(access.current_epochs([room.pk]), timeout=10)
    assert found == {room.pk: room.access_epoch}
    assert not any(task.done() for task in hanging)
    goes_on.set()
    await asyncio.gather(*hanging)
