"""Who is connected: rows behind the connections, gone with the connection, the process, or its life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from accounts.models import User
from collab.models import LiveConnection, Room, ServerProcess
from collab.roster import Roster
from collab.selectors import connections_visible_to
from tests.factories import make_connection, make_room, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def roster() -> AsyncIterator[Roster]:
    roster = Roster()
    task = asyncio.create_task(roster.run())
    yield roster
    task.cancel()
    await asyncio.wait({task})
    await asyncio.to_thread(roster.close)


@sync_to_async
def room_with_owner() -> tuple[Room, User]:
    owner = make_user()
    return make_room(owner=owner), owner


def connection_in(room: Room, user: User) -> LiveConnection:
    return LiveConnection(
        id=uuid4(), room=room, user=user, role="editor", protocol="y-websocket", since=timezone.now()
    )


async def until_seen(room: Room, owner: User, is_true: Callable[[dict[UUID, str]], bool]) -> None:
    """Wait until somebody who asks sees what is expected; the test's timeout ends the waiting."""

    @sync_to_async
    def seen() -> dict[UUID, str]:
        return dict(connections_visible_to(owner, room.pk).values_list("pk", "role"))

    while not is_true(await seen()):  # noqa: ASYNC110  # the database tells nobody
        await asyncio.sleep(0.01)


async def test_connection_is_seen_from_its_opening_to_its_end(roster: Roster) -> None:
    room, owner = await room_with_owner()
    one, two = connection_in(room, owner), connection_in(room, owner)
    roster.opened(one)
    roster.opened(two)
    await until_seen(room, owner, lambda seen: set(seen) == {one.pk, two.pk})
    roster.closed(one.pk)
    await until_seen(room, owner, lambda seen: set(seen) == {two.pk})


async def test_connection_whose_role_changes_is_seen_with_the_new_one(roster: Roster) -> None:
    room, owner = await room_with_owner()
    row = connection_in(room, owner)
    roster.opened(row)
    await until_seen(room, owner, lambda seen: seen == {row.pk: "editor"})
    roster.changed(row.pk, "viewer")
    await until_seen(room, owner, lambda seen: seen == {row.pk: "viewer"})


async def test_connection_in_a_room_that_was_deleted_does_not_keep_others_from_being_written(
    roster: Roster,
) -> None:
    room, owner = await room_with_owner()
    gone, owner_of_gone = await room_with_owner()
    rows = [connection_in(gone, owner_of_gone), connection_in(room, owner)]
    await sync_to_async(Room.objects.filter(pk=gone.pk).delete)()
    for row in rows:
        roster.opened(row)
    await until_seen(room, owner, lambda seen: set(seen) == {rows[1].pk})


async def test_rows_that_somebody_deleted_are_written_again(roster: Roster) -> None:
    room, owner = await room_with_owner()
    one, two = connection_in(room, owner), connection_in(room, owner)
    roster.opened(one)
    await until_seen(room, owner, lambda seen: set(seen) == {one.pk})
    await sync_to_async(LiveConnection.objects.all().delete)()
    await sync_to_async(ServerProcess.objects.all().delete)()  # as others do with one they take for dead
    roster.beat_now()
    roster.opened(two)
    await until_seen(room, owner, lambda seen: set(seen) == {one.pk, two.pk})


async def test_leaving_takes_all_rows_along(roster: Roster) -> None:
    room, owner = await room_with_owner()
    row = connection_in(room, owner)
    roster.opened(row)
    await until_seen(room, owner, lambda seen: set(seen) == {row.pk})
    await roster.leave()
    assert not await LiveConnection.objects.aexists()
    assert not await ServerProcess.objects.aexists()


async def test_process_that_was_killed_is_not_seen_and_later_forgotten(roster: Roster) -> None:
    room, owner = await room_with_owner()
    dead = await sync_to_async(make_connection)(room, owner)
    long_ago = timezone.now() - timedelta(hours=1)
    await ServerProcess.objects.filter(pk=dead.process_id).aupdate(seen_at=long_ago)
    await until_seen(room, owner, lambda seen: not seen)
    roster.beat_now()
    while await LiveConnection.objects.filter(pk=dead.pk).aexists():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
