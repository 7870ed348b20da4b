"""Writing rooms: who may, what it leaves behind, and what is announced."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from accounts.errors import (
    AlreadyMemberError,
    LastOwnerError,
    NotFoundError,
    PermissionDeniedError,
)
from accounts.models import Organization, OrganizationRole, User
from collab.models import Checkpoint, Room, RoomHead, RoomMember, RoomRole, StoredUpdate
from collab.services import members, organizations, rooms
from tests.factories import (
    add_to_organization,
    add_to_room,
    make_organization,
    make_room,
    make_user,
    recorded_access_changes,
    run_together,
)

pytestmark = pytest.mark.django_db

NOW = datetime.now(tz=UTC)
OWNER, EDITOR, VIEWER = RoomRole


@pytest.fixture
def announced(django_capture_on_commit_callbacks) -> Callable[[Callable[[], Any]], list]:
    """What a call announces."""

    def changes_of(call: Callable[[], Any]) -> list:
        with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
            call()
        return changes

    return changes_of


def test_create_room_in_a_foreign_organization_raises_not_found() -> None:
    organization = make_organization(owner=make_user())
    with pytest.raises(NotFoundError):
        rooms.create_room(actor=make_user(), organization_id=organization.pk, name="Plan")


def test_create_room_by_a_guest_raises_and_leaves_nothing() -> None:
    guest = make_user()
    organization = make_organization(guest=guest)
    with pytest.raises(PermissionDeniedError):
        rooms.create_room(actor=guest, organization_id=organization.pk, name="Plan")
    assert not Room.objects.exists()


@pytest.mark.parametrize("role", ["owner", "admin", "member"])
def test_create_room_makes_its_head_and_the_actor_its_owner(role: str) -> None:
    actor = make_user()
    organization = make_organization(**{role: actor})
    room = rooms.create_room(actor=actor, organization_id=organization.pk, name="Plan")
    assert (room.name, room.organization_role) == ("Plan", None)
    assert RoomHead.objects.get(room=room).seq == 0
    assert RoomMember.objects.get(room=room, user=actor).role == OWNER


ACTIONS = {
    "update": partial(rooms.update_room, name="New"),
    "trash": rooms.trash_room,
    "restore": rooms.restore_room,
    "share": partial(members.add_room_member, email="nobody@example.com", role=VIEWER),
    "change": partial(members.change_room_member_role, member_id=uuid4(), role=VIEWER),
    "revoke": partial(members.remove_room_member, member_id=uuid4()),
}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS.keys())
def test_every_action_by_a_stranger_raises_not_found(action: Callable[..., Any]) -> None:
    room = make_room(make_organization(owner=make_user()), owner=make_user(), organization_role="editor")
    with pytest.raises(NotFoundError):
        action(actor=make_user(), room_id=room.pk)


@pytest.mark.parametrize("role", ["editor", "viewer"])
@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS.keys())
def test_every_action_by_less_than_an_owner_raises(action: Callable[..., Any], role: str) -> None:
    user = make_user()
    room = make_room(**{role: user})
    with pytest.raises(PermissionDeniedError):
        action(actor=user, room_id=room.pk)
    assert Room.objects.get().access_epoch == 0


@pytest.mark.parametrize("action", [ACTIONS[name] for name in ACTIONS if name != "restore"])
def test_every_action_but_restore_in_the_trash_raises_not_found(action: Callable[..., Any]) -> None:
    owner = make_user()
    room = make_room(owner=owner, trashed_at=NOW)
    with pytest.raises(NotFoundError):
        action(actor=owner, room_id=room.pk)


def test_update_room_name_announces_nothing(announced) -> None:
    owner = make_user()
    room = make_room(owner=owner, organization_role="viewer")
    assert announced(lambda: rooms.update_room(actor=owner, room_id=room.pk, name="New")) == []
    room.refresh_from_db()
    assert (room.name, room.organization_role, room.access_epoch) == ("New", "viewer", 0)


def test_update_room_organization_role_to_what_it_is_announces_nothing(announced) -> None:
    owner = make_user()
    room = make_room(owner=owner, organization_role="viewer")
    update = partial(rooms.update_room, actor=owner, room_id=room.pk)
    assert announced(lambda: update(organization_role=VIEWER)) == []


@pytest.mark.parametrize("role", [None, EDITOR])
def test_update_room_organization_role_announces_the_room(role: RoomRole | None, announced) -> None:
    owner = make_user()
    room = make_room(owner=owner, organization_role="viewer")
    update = partial(rooms.update_room, actor=owner, room_id=room.pk)
    assert announced(lambda: update(organization_role=role)) == [(Room, room.pk)]
    room.refresh_from_db()
    assert (room.organization_role, room.access_epoch) == (role, 1)


def test_trash_and_restore_room_announce_it_and_keep_its_members(announced) -> None:
    owner = make_user()
    room = make_room(owner=owner, viewer=make_user())
    assert announced(lambda: rooms.trash_room(actor=owner, room_id=room.pk)) == [(Room, room.pk)]
    room.refresh_from_db()
    assert room.trashed_at is not None
    assert announced(lambda: rooms.restore_room(actor=owner, room_id=room.pk)) == [(Room, room.pk)]
    room.refresh_from_db()
    assert (room.trashed_at, room.access_epoch, room.members.count()) == (None, 2, 2)


def test_add_member_twice_raises_and_keeps_the_role() -> None:
    owner, other = make_user(), make_user()
    room = make_room(owner=owner, viewer=other)
    with pytest.raises(AlreadyMemberError):
        members.add_room_member(actor=owner, room_id=room.pk, role=EDITOR, user_id=other.pk)
    assert room.members.get(user=other).role == VIEWER


def test_add_member_from_outside_the_organization_announces_the_room(announced) -> None:
    owner, other = make_user(), make_user()
    room = make_room(make_organization(owner=owner), owner=owner)
    add = partial(members.add_room_member, actor=owner, room_id=room.pk)
    assert announced(lambda: add(role=EDITOR, email=other.email.upper())) == [(Room, room.pk)]
    assert room.members.get(user=other).role == EDITOR


def test_change_role_of_a_member_of_another_room_raises_not_found() -> None:
    owner = make_user()
    room = make_room(owner=owner)
    foreign = add_to_room(make_room(owner=owner), make_user(), "viewer")
    with pytest.raises(NotFoundError):
        members.change_room_member_role(actor=owner, room_id=room.pk, member_id=foreign.pk, role=EDITOR)


@pytest.mark.parametrize("other_is_active", [None, False])
def test_change_role_or_remove_the_last_active_owner_raises(other_is_active: bool | None) -> None:
    owner = make_user()
    room = make_room(owner=owner)
    member = room.members.get()
    if other_is_active is not None:
        add_to_room(room, make_user(is_active=other_is_active), "owner")
    with pytest.raises(LastOwnerError):
        members.change_room_member_role(actor=owner, room_id=room.pk, member_id=member.pk, role=VIEWER)
    with pytest.raises(LastOwnerError):
        members.remove_room_member(actor=owner, room_id=room.pk, member_id=member.pk)


def test_change_role_announces_the_room(announced) -> None:
    owner = make_user()
    room = make_room(owner=owner)
    member = add_to_room(room, make_user(), "viewer")
    change = partial(members.change_room_member_role, actor=owner, room_id=room.pk, member_id=member.pk)
    assert announced(lambda: change(role=EDITOR)) == [(Room, room.pk)]
    member.refresh_from_db()
    assert member.role == EDITOR


def test_remove_member_announces_the_room(announced) -> None:
    owner, other = make_user(), make_user()
    room = make_room(owner=owner)
    member = add_to_room(room, other, "viewer")
    remove = partial(members.remove_room_member, actor=owner, room_id=room.pk, member_id=member.pk)
    assert announced(remove) == [(Room, room.pk)]
    assert not room.members.filter(user=other).exists()


def test_remove_organization_member_who_is_the_last_owner_keeps_their_rooms() -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    room = make_room(organization, owner=owner)
    with pytest.raises(LastOwnerError):
        organizations.remove_organization_member(
            actor=owner, organization_id=organization.pk, member_id=organization.members.get().pk
        )
    assert room.members.filter(user=owner).exists()


def test_remove_organization_member_takes_them_out_of_its_rooms_only(announced) -> None:
    owner, other = make_user(), make_user()
    organization = make_organization(owner=owner)
    member = add_to_organization(organization, other, OrganizationRole.MEMBER)
    inside, outside = make_room(organization, owner=other), make_room(viewer=other)
    add_to_room(inside, owner, "viewer")
    remove = partial(
        organizations.remove_organization_member,
        actor=owner,
        organization_id=organization.pk,
        member_id=member.pk,
    )
    assert announced(remove) == [(User, other.pk)]
    assert not inside.members.filter(user=other).exists()
    assert inside.members.filter(user=owner).exists()
    assert outside.members.filter(user=other).exists()


def test_delete_organization_by_an_admin_raises() -> None:
    admin = make_user()
    organization = make_organization(admin=admin)
    with pytest.raises(PermissionDeniedError):
        organizations.delete_organization(actor=admin, organization_id=organization.pk)


def test_delete_organization_deletes_its_rooms_and_their_documents(announced) -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    room, other = make_room(organization), make_room()
    for row in (room, other):
        StoredUpdate.objects.create(room=row, seq=1, data=b"\0\0")
        Checkpoint.objects.create(room=row, seq=1, data=b"\0\0", state_vector=b"\0")
    delete = partial(organizations.delete_organization, actor=owner, organization_id=organization.pk)
    assert announced(delete) == [(Organization, organization.pk)]
    for model in (RoomHead, StoredUpdate, Checkpoint):
        assert [row.room_id for row in model._default_manager.all()] == [other.pk]


@pytest.mark.django_db(transaction=True)
def test_lower_oneself_by_two_owners_at_once_leaves_one() -> None:
    one, two = make_user(), make_user()
    room = make_room()
    both = [add_to_room(room, user, "owner") for user in (one, two)]
    lower = partial(members.change_room_member_role, room_id=room.pk, role=VIEWER)
    results = run_together(
        partial(lower, actor=one, member_id=both[0].pk),
        partial(lower, actor=two, member_id=both[1].pk),
    )
    assert sorted(type(result).__name__ for result in results) == ["LastOwnerError", "RoomMember"]
    assert room.members.filter(role=OWNER).count() == 1


@pytest.mark.django_db(transaction=True)
def test_delete_organization_while_its_rooms_change_ends_without_a_deadlock() -> None:
    owner, guests = make_user(), [make_user() for _ in range(4)]
    organization = make_organization(owner=owner)
    busy = [make_room(organization) for _ in guests]
    viewers = [add_to_room(room, guest, "viewer") for room, guest in zip(busy, guests, strict=True)]
    changes = [
        partial(
            members.change_room_member_role,
            actor=owner,
            room_id=room.pk,
            member_id=member.pk,
            role=EDITOR,
        )
        for room, member in zip(busy, viewers, strict=True)
    ]
    create = partial(rooms.create_room, actor=owner, organization_id=organization.pk, name="New")
    delete = partial(organizations.delete_organization, actor=owner, organization_id=organization.pk)
    results = run_together(*changes, create, delete)
    assert all(isinstance(result, RoomMember | Room | NotFoundError | None) for result in results), results
    assert not Room.objects.exists()
