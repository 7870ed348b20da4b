"""Handing a room on, and leaving it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from accounts.errors import (
    InvalidError,
    LastOwnerError,
    NotAMemberError,
    NotFoundError,
    PermissionDeniedError,
    UnknownUserError,
)
from accounts.models import AuditEntry
from collab.models import AccessRequest, Room, RoomMember, ShareLinkGrant
from collab.policies import access_for
from collab.services.ownership import leave_room, transfer_room
from tests.factories import (
    add_to_organization,
    add_to_room,
    make_group,
    make_link_grant,
    make_organization,
    make_room,
    make_user,
    recorded_access_changes,
    run_together,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def announced(django_capture_on_commit_callbacks) -> Callable[[Callable[[], Any]], list]:
    """What a call announces."""

    def changes_of(call: Callable[[], Any]) -> list:
        with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
            call()
        return changes

    return changes_of


@pytest.mark.parametrize(("role", "error"), [(None, NotFoundError), ("editor", PermissionDeniedError)])
def test_transfer_by_less_than_an_owner_raises(role: str | None, error: type[Exception]) -> None:
    user, other = make_user(), make_user()
    room = make_room(owner=make_user(), viewer=other)
    if role:
        add_to_room(room, user, role)
    with pytest.raises(error):
        transfer_room(actor=user, room_id=room.pk, user_id=other.pk)


def test_transfer_to_somebody_who_can_not_read_the_room_is_as_to_nobody() -> None:
    owner = make_user()
    room = make_room(owner=owner)
    deactivated = make_user(is_active=False)
    add_to_room(room, deactivated, "editor")
    for user_id in (uuid4(), make_user().pk, deactivated.pk):
        with pytest.raises(UnknownUserError) as caught:
            transfer_room(actor=owner, room_id=room.pk, user_id=user_id)
        assert list(caught.value.fields) == ["user"]
    assert room.members.get(user=owner).role == "owner"


def test_transfer_to_oneself_raises() -> None:
    owner = make_user()
    with pytest.raises(InvalidError):
        transfer_room(actor=owner, room_id=make_room(owner=owner).pk, user_id=owner.pk)


@pytest.mark.parametrize("reads_by", ["membership", "organization", "link"])
def test_transfer_makes_a_reader_owner_and_the_actor_editor(reads_by: str, announced) -> None:
    owner, other = make_user(), make_user()
    room = make_room(make_organization(), owner=owner, organization_role="viewer")
    match reads_by:
        case "membership":
            add_to_room(room, other, "viewer")
        case "organization":
            add_to_organization(room.organization, other, "member")
        case "link":
            make_link_grant(room, other)
    transfer = partial(transfer_room, actor=owner, room_id=room.pk, user_id=other.pk)
    assert announced(transfer) == [(Room, room.pk)]
    assert {row.user: row.role for row in room.members.all()} == {owner: "editor", other: "owner"}
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_id, entry.subject_id) == ("room.transferred", owner.pk, other.pk)


def test_transfer_by_an_owner_of_the_organization_gives_them_no_membership() -> None:
    owner, other = make_user(), make_user()
    room = make_room(make_organization(owner=owner), viewer=other)
    assert access_for(owner, transfer_room(actor=owner, room_id=room.pk, user_id=other.pk)).role == "owner"
    assert {row.user: row.role for row in room.members.all()} == {other: "owner"}


def test_transfer_takes_the_place_of_an_invitation_of_the_address() -> None:
    owner, other = make_user(), make_user()
    room = make_room(owner=owner, viewer=other)
    RoomMember.objects.create(room=room, email=other.email, role="editor")
    transfer_room(actor=owner, room_id=room.pk, user_id=other.pk)
    assert {row.user: row.role for row in room.members.all()} == {owner: "editor", other: "owner"}


def test_leave_by_a_stranger_or_in_the_trash_raises_not_found() -> None:
    user = make_user()
    trashed = make_room(viewer=user, trashed_at="2026-01-01T00:00:00Z")
    for room in (make_room(owner=make_user()), trashed):
        with pytest.raises(NotFoundError):
            leave_room(actor=user, room_id=room.pk)
    assert trashed.members.exists()


def test_leave_without_anything_of_ones_own_raises() -> None:
    user = make_user()
    room = make_room(make_organization(owner=user))
    RoomMember.objects.create(room=room, group=make_group(room.organization, user), role="viewer")
    with pytest.raises(NotAMemberError):
        leave_room(actor=user, room_id=room.pk)
    assert room.members.exists()


@pytest.mark.parametrize("other", [None, {"is_active": False}])
def test_leave_by_the_last_active_owner_raises_and_keeps_everything(other) -> None:
    user = make_user()
    room = make_room(owner=user)
    make_link_grant(room, user)
    if other:
        add_to_room(room, make_user(**other), "owner")
    with pytest.raises(LastOwnerError):
        leave_room(actor=user, room_id=room.pk)
    assert room.members.filter(user=user).exists()
    assert ShareLinkGrant.objects.filter(user=user).exists()


def test_leave_gives_up_membership_links_and_request_of_this_room_alone(announced) -> None:
    user, other = make_user(), make_user()
    room, elsewhere = make_room(owner=other, viewer=user), make_room(viewer=user)
    for each in (room, elsewhere):
        make_link_grant(each, user)
        make_link_grant(each, other)
        AccessRequest.objects.create(room=each, user=user, role="editor")
    assert announced(lambda: leave_room(actor=user, room_id=room.pk)) == [(Room, room.pk)]
    assert access_for(user, room).role is None
    assert access_for(user, elsewhere).role == "viewer"
    assert {grant.link.room for grant in ShareLinkGrant.objects.filter(user=user)} == {elsewhere}
    assert ShareLinkGrant.objects.filter(user=other).count() == 2
    assert [request.room for request in AccessRequest.objects.all()] == [elsewhere]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_id, entry.subject_id) == ("room.member.removed", user.pk, user.pk)


def test_leave_with_a_link_alone_gives_it_up() -> None:
    user = make_user()
    room = make_link_grant(make_room(), user).link.room
    leave_room(actor=user, room_id=room.pk)
    assert access_for(user, room).role is None


@pytest.mark.django_db(transaction=True)
def test_leave_by_all_owners_at_once_leaves_one() -> None:
    room = make_room()
    owners = [make_user() for _ in range(3)]
    for user in owners:
        add_to_room(room, user, "owner")
    results = run_together(*(partial(leave_room, actor=user, room_id=room.pk) for user in owners))
    assert sorted(type(result).__name__ for result in results) == ["LastOwnerError", "NoneType", "NoneType"]
    assert room.members.count() == 1


@pytest.mark.django_db(transaction=True)
def test_transfer_and_leave_at_once_leave_an_owner() -> None:
    owner, other = make_user(), make_user()
    room = make_room(owner=owner, editor=other)
    run_together(
        partial(transfer_room, actor=owner, room_id=room.pk, user_id=other.pk),
        partial(leave_room, actor=other, room_id=room.pk),
    )
    assert room.members.filter(role="owner").exists()
