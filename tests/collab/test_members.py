"""Members of a room that are not single accounts: groups, and addresses that are invited."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings

from accounts.errors import AlreadyMemberError, LastOwnerError, UnknownGroupError, UnknownUserError
from accounts.invitations import make_invitation_token
from accounts.models import AuditEntry, User
from accounts.services import groups, invitations, users
from accounts.signals import member_added
from collab.models import Room, RoomMember, RoomRole
from collab.policies import access_for
from collab.services import members, organizations
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

EMAIL = "grace@example.com"
OWNER, EDITOR, VIEWER = RoomRole


@pytest.fixture
def owner() -> User:
    return make_user()


@pytest.fixture
def room(owner: User) -> Room:
    return make_room(make_organization(owner=owner), owner=owner)


@pytest.fixture
def add(owner: User, room: Room) -> Callable[..., RoomMember]:
    """Add a member to the room, as its owner."""
    return partial(members.add_room_member, actor=owner, room_id=room.pk)


@pytest.fixture
def changes_of(django_capture_on_commit_callbacks) -> Callable[[Callable[[], Any]], list]:
    """What a call announces."""

    def changes_of(call: Callable[[], Any]) -> list:
        with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
            call()
        return changes

    return changes_of


def test_add_group_of_another_organization_raises_like_an_unknown_one(owner: User, add) -> None:
    for group_id in (make_group(make_organization(owner=owner)).pk, uuid4()):
        with pytest.raises(UnknownGroupError) as error:
            add(group_id=group_id, role=EDITOR)
        assert list(error.value.fields) == ["group"]


def test_add_group_by_a_room_owner_from_outside_raises_for_groups_of_their_own_organization() -> None:
    outsider = make_user()
    room = make_room(owner=outsider)
    group = make_group(make_organization(owner=outsider), outsider)
    with pytest.raises(UnknownGroupError):
        members.add_room_member(actor=outsider, room_id=room.pk, group_id=group.pk, role=VIEWER)


@pytest.mark.parametrize("who", ["group", "email", "user"])
def test_add_twice_raises_and_keeps_the_role(who: str, room: Room, add) -> None:
    grantee = {
        "group": {"group_id": make_group(room.organization).pk},
        "email": {"email": EMAIL},
        "user": {"user_id": make_user().pk},
    }[who]
    member = add(**grantee, role=VIEWER)
    with pytest.raises(AlreadyMemberError) as error:
        add(**grantee, role=EDITOR)
    assert list(error.value.fields) == [who]
    member.refresh_from_db()
    assert member.role == VIEWER


def test_add_user_who_is_unknown_or_was_deactivated_raises(add) -> None:
    for user_id in (uuid4(), make_user(is_active=False).pk):
        with pytest.raises(UnknownUserError):
            add(user_id=user_id, role=VIEWER)


def test_add_group_gives_its_members_the_role_and_announces_the_room(room: Room, add, changes_of) -> None:
    one, other = make_user(), make_user()
    for user in (one, other):
        add_to_organization(room.organization, user, "guest")
    group = make_group(room.organization, one)
    assert changes_of(lambda: add(group_id=group.pk, role=EDITOR)) == [(Room, room.pk)]
    assert (access_for(one, room).role, access_for(other, room).role) == (EDITOR, None)


@pytest.mark.parametrize("account", [None, False])
def test_add_email_without_an_active_account_invites_and_announces_nothing(
    account: bool | None, room: Room, add, changes_of
) -> None:
    if account is not None:
        make_user(email=EMAIL, is_active=account)
    assert changes_of(lambda: add(email="GRACE@example.com ", role=EDITOR)) == []
    member = room.members.get(email=EMAIL)
    assert (member.user, member.group, member.role) == (None, None, EDITOR)


def test_add_email_of_a_member_who_was_deactivated_raises(room: Room, add) -> None:
    add_to_room(room, make_user(email=EMAIL, is_active=False), "viewer")
    with pytest.raises(AlreadyMemberError):
        add(email=EMAIL, role=VIEWER)


def test_add_user_by_id_takes_the_place_of_the_invitation_of_their_address(room: Room, add) -> None:
    add_to_room(room, EMAIL, "owner")
    user = make_user(email=EMAIL)
    add(user_id=user.pk, role=VIEWER)
    assert not room.members.filter(email=EMAIL).exists()
    assert access_for(user, room).role == VIEWER


def test_remove_user_takes_the_invitation_of_their_address_along(owner: User, room: Room) -> None:
    user = make_user(email=EMAIL)
    member = add_to_room(room, user, "viewer")
    add_to_room(room, EMAIL, "owner")
    members.remove_room_member(actor=owner, room_id=room.pk, member_id=member.pk)
    invitations.accept_invitations(user=user, token=make_invitation_token(EMAIL))
    assert access_for(user, room).role is None


def test_invited_owner_can_always_be_lowered_or_removed() -> None:
    admin = make_user()
    room = make_room(make_organization(admin=admin))
    member = add_to_room(room, EMAIL, "owner")
    act = {"actor": admin, "room_id": room.pk, "member_id": member.pk}
    members.change_room_member_role(**act, role=OWNER)
    members.change_room_member_role(**act, role=EDITOR)
    members.change_room_member_role(**act, role=OWNER)
    members.remove_room_member(**act)
    assert not room.members.exists()


@pytest.mark.parametrize(("is_empty", "is_allowed"), [(True, False), (False, True)])
def test_last_owner_can_go_only_if_a_group_with_somebody_in_it_owns_the_room(
    is_empty: bool, is_allowed: bool
) -> None:
    owner, colleague = make_user(), make_user()
    room = make_room(make_organization(owner=owner, member=colleague), owner=owner)
    add_to_room(room, make_group(room.organization, *([] if is_empty else [colleague])), "owner")
    act = {"actor": owner, "room_id": room.pk, "member_id": room.members.get(user=owner).pk}
    if is_allowed:
        members.remove_room_member(**act)
    else:
        with pytest.raises(LastOwnerError):
            members.remove_room_member(**act)
    assert room.members.filter(user=owner).exists() is not is_allowed


def test_group_that_is_the_last_owner_can_not_be_lowered() -> None:
    owner = make_user()
    room = make_room(make_organization(owner=owner))
    member = add_to_room(room, make_group(room.organization, owner), "owner")
    with pytest.raises(LastOwnerError):
        members.change_room_member_role(actor=owner, room_id=room.pk, member_id=member.pk, role=EDITOR)


def test_register_takes_up_invitations_to_rooms_even_in_the_trash(room: Room) -> None:
    other = make_room(trashed_at="2026-01-01T00:00:00Z")
    for each, role in ((room, "editor"), (other, "owner")):
        add_to_room(each, EMAIL, role)
    with override_settings(VERIFY_INVITATIONS=False):
        user = users.register_user(email=EMAIL, password="correct-horse-battery", name="Grace")
    assert access_for(user, room).role == EDITOR
    assert other.members.get(user=user).role == OWNER
    assert not RoomMember.objects.filter(email=EMAIL).exists()


def test_register_leaves_invitations_to_rooms_pending_where_they_are_verified(room: Room) -> None:
    add_to_room(room, EMAIL, "editor")
    with override_settings(VERIFY_INVITATIONS=True):
        user = users.register_user(email=EMAIL, password="correct-horse-battery", name="Grace")
    assert access_for(user, room).role is None


@pytest.mark.parametrize(
    ("held", "invited", "kept"), [("viewer", "owner", OWNER), ("editor", "viewer", EDITOR)]
)
def test_accept_by_a_member_leaves_the_stronger_role_and_announces_the_user(
    held: str, invited: str, kept: RoomRole, room: Room, changes_of
) -> None:
    user = make_user(email=EMAIL)
    add_to_room(room, user, held)
    add_to_room(room, EMAIL, invited)
    token = make_invitation_token(EMAIL)
    assert changes_of(lambda: invitations.accept_invitations(user=user, token=token)) == [(User, user.pk)]
    assert [member.role for member in room.members.filter(user=user)] == [kept]
    assert not room.members.filter(email=EMAIL).exists()


def test_member_added_is_sent_after_the_commit(
    owner: User, room: Room, add, django_capture_on_commit_callbacks
) -> None:
    heard: list[tuple] = []

    def hear(sender: type, membership: RoomMember, actor: User, **_: object) -> None:
        heard.append((sender, membership, actor))

    member_added.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            member = add(email=EMAIL, role=VIEWER)
            assert heard == []
    finally:
        member_added.disconnect(hear)
    assert heard == [(RoomMember, member, owner)]


def test_changes_of_members_are_audited_without_an_address(owner: User, room: Room, add) -> None:
    user, group = make_user(), make_group(room.organization)
    people = {
        user.pk: add(user_id=user.pk, role=EDITOR),
        group.pk: add(group_id=group.pk, role=EDITOR),
        None: add(email=EMAIL, role=EDITOR),
    }
    for member in people.values():
        act = {"actor": owner, "room_id": room.pk, "member_id": member.pk}
        members.change_room_member_role(**act, role=VIEWER)
        members.remove_room_member(**act)
    entries = AuditEntry.objects.filter(organization_id=room.organization_id)
    for subject_id, member in people.items():
        told = entries.filter(subject_id=subject_id).order_by("number")
        assert [(entry.action, entry.actor_id, entry.room_id) for entry in told] == [
            (f"room.member.{what}", owner.pk, room.pk) for what in ("added", "changed", "removed")
        ]
        assert [entry.details for entry in told] == [
            {"member": str(member.pk), "role": "editor"},
            {"member": str(member.pk), "role": "viewer", "previous_role": "editor"},
            {"member": str(member.pk), "role": "viewer"},
        ]


@pytest.mark.django_db(transaction=True)
def test_delete_group_while_it_is_given_to_rooms_and_its_roles_change_ends_without_an_error() -> None:
    owner, colleague = make_user(), make_user()
    organization = make_organization(owner=owner, member=colleague)
    group = make_group(organization, colleague)
    given = [make_room(organization) for _ in range(3)]
    grants = [add_to_room(room, group, "viewer") for room in given]
    changes = [
        partial(
            members.change_room_member_role,
            actor=owner,
            room_id=member.room_id,
            member_id=member.pk,
            role=EDITOR,
        )
        for member in grants
    ]
    giving = [
        partial(members.add_room_member, actor=owner, room_id=make_room(organization).pk, role=VIEWER)
        for _ in range(2)
    ]
    leave = partial(
        groups.remove_group_member,
        actor=owner,
        organization_id=organization.pk,
        group_id=group.pk,
        member_id=group.members.get().pk,
    )
    delete = partial(
        organizations.delete_group, actor=owner, organization_id=organization.pk, group_id=group.pk
    )
    results = run_together(delete, leave, *changes, *(partial(call, group_id=group.pk) for call in giving))
    failed = [result for result in results if not isinstance(result, RoomMember | None)]
    assert {type(result).__name__ for result in failed} <= {"NotFoundError", "UnknownGroupError"}, failed
    assert not RoomMember.objects.filter(group__isnull=False).exists()


@pytest.mark.django_db(transaction=True)
def test_erase_while_rooms_are_shared_with_them_ends_without_an_error() -> None:
    owner, user = make_user(), make_user()
    organization = make_organization(owner=owner, member=user)
    held = [add_to_room(make_room(organization), user, "viewer") for _ in range(2)]
    make_link_grant(held[0].room, user)
    changes = [
        partial(
            members.change_room_member_role,
            actor=owner,
            room_id=member.room_id,
            member_id=member.pk,
            role=EDITOR,
        )
        for member in held
    ]
    sharing = [
        partial(
            members.add_room_member,
            actor=owner,
            room_id=make_room(organization).pk,
            user_id=user.pk,
            role=VIEWER,
        )
        for _ in range(2)
    ]
    results = run_together(partial(organizations.erase_user, user=user), *changes, *sharing)
    failed = [result for result in results if not isinstance(result, RoomMember | None)]
    assert {type(result).__name__ for result in failed} <= {"NotFoundError", "UnknownUserError"}, failed
    assert not User.objects.filter(pk=user.pk).exists()
    assert not RoomMember.objects.exists()
