"""What a change of an organization, and the end of an account, mean for rooms."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from accounts.errors import LastOwnerError, NotFoundError, PermissionDeniedError
from accounts.invitations import make_invitation_token
from accounts.models import Organization, User
from accounts.services import groups, invitations
from collab.models import Room, RoomMember, ShareLinkGrant, StoredUpdate
from collab.policies import access_for
from collab.services import organizations
from tests.factories import (
    add_to_organization,
    add_to_room,
    make_group,
    make_link_grant,
    make_organization,
    make_room,
    make_user,
    recorded_access_changes,
)

pytestmark = pytest.mark.django_db

EMAIL = "grace@example.com"


@pytest.fixture
def changes_of(django_capture_on_commit_callbacks) -> Callable[[Callable[[], Any]], list]:
    """What a call announces."""

    def changes_of(call: Callable[[], Any]) -> list:
        with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
            call()
        return changes

    return changes_of


def remover(actor: User, organization: Organization, who: User | str) -> Callable[[], None]:
    known = {"email" if isinstance(who, str) else "user": who}
    return partial(
        organizations.remove_organization_member,
        actor=actor,
        organization_id=organization.pk,
        member_id=organization.members.get(**known).pk,
    )


@pytest.mark.parametrize("role", ["member", "guest"])
def test_remove_member_by_less_than_an_admin_raises_and_keeps_their_rooms(role: str) -> None:
    user, other = make_user(), make_user()
    organization = make_organization(owner=make_user(), **{role: user})
    add_to_organization(organization, other, "member")
    room = make_room(organization, viewer=other)
    make_link_grant(room, other)
    with pytest.raises(PermissionDeniedError):
        remover(user, organization, other)()
    assert (room.members.count(), ShareLinkGrant.objects.count()) == (1, 1)


def test_remove_member_ends_all_they_had_in_its_rooms_and_nothing_elsewhere(changes_of) -> None:
    owner, user = make_user(), make_user(email=EMAIL)
    organization = make_organization(owner=owner, member=user)
    by_name, by_link, by_group, by_invitation = (make_room(organization, owner=owner) for _ in range(4))
    add_to_room(by_name, user, "editor")
    make_link_grant(by_link, user)
    make_link_grant(by_link, owner)
    group = make_group(organization, user, owner)
    add_to_room(by_group, group, "viewer")
    add_to_room(by_invitation, EMAIL, "owner")
    elsewhere = make_room(viewer=user)
    make_link_grant(elsewhere, user)
    assert changes_of(remover(owner, organization, user)) == [(User, user.pk)]
    invitations.accept_invitations(user=user, token=make_invitation_token(EMAIL))
    for room in (by_name, by_link, by_group, by_invitation):
        assert access_for(user, room).role is None
        assert access_for(owner, room).role == "owner"
    assert access_for(user, elsewhere).role == "viewer"
    assert (group.members.count(), ShareLinkGrant.objects.count()) == (1, 2)


def test_remove_invitation_ends_the_invitations_of_that_address_to_its_rooms(changes_of) -> None:
    owner, user = make_user(), make_user(email=EMAIL)
    organization = make_organization(owner=owner)
    add_to_organization(organization, EMAIL, "member")
    add_to_organization(organization, "other@example.com", "member")
    inside, outside = make_room(organization, owner=owner), make_room()
    for room in (inside, outside):
        add_to_room(room, EMAIL, "editor")
    add_to_room(inside, "other@example.com", "editor")
    assert changes_of(remover(owner, organization, EMAIL)) == [(User, user.pk)]
    invitations.accept_invitations(user=user, token=make_invitation_token(EMAIL))
    assert (access_for(user, inside).role, access_for(user, outside).role) == (None, "editor")
    assert inside.members.filter(email="other@example.com").exists()


def test_remove_invitation_ends_what_an_account_of_that_address_had_in_its_rooms(changes_of) -> None:
    owner, user = make_user(), make_user(email=EMAIL)
    organization = make_organization(owner=owner)
    add_to_organization(organization, EMAIL, "member")
    by_name, by_link = make_room(organization, viewer=user), make_room(organization)
    make_link_grant(by_link, user)
    elsewhere = make_room(viewer=user)
    assert changes_of(remover(owner, organization, EMAIL)) == [(User, user.pk)]
    assert [access_for(user, room).role for room in (by_name, by_link, elsewhere)] == [None, None, "viewer"]


def test_delete_group_ends_what_it_gave(changes_of) -> None:
    owner, user = make_user(), make_user()
    organization = make_organization(owner=owner, guest=user)
    group = make_group(organization, user)
    room = make_room(organization, owner=owner)
    add_to_room(room, group, "editor")
    delete = partial(
        organizations.delete_group, actor=owner, organization_id=organization.pk, group_id=group.pk
    )
    assert access_for(user, room).role == "editor"
    assert changes_of(delete) == [(User, user.pk)]
    assert access_for(user, room).role is None
    assert [member.user for member in room.members.all()] == [owner]


def test_delete_group_by_a_stranger_or_a_member_raises_and_keeps_it() -> None:
    member = make_user()
    group = make_group(make_organization(member=member), member)
    delete = partial(organizations.delete_group, organization_id=group.organization_id, group_id=group.pk)
    with pytest.raises(NotFoundError):
        delete(actor=make_user())
    with pytest.raises(PermissionDeniedError):
        delete(actor=member)
    assert group.members.exists()


def test_leave_group_ends_what_it_gave_and_not_what_another_one_gives() -> None:
    owner, user = make_user(), make_user()
    organization = make_organization(owner=owner, guest=user)
    strong, weak = make_group(organization, user), make_group(organization, user)
    room = make_room(organization, owner=owner)
    add_to_room(room, strong, "owner")
    add_to_room(room, weak, "viewer")
    for group, role in ((strong, "viewer"), (weak, None)):
        groups.remove_group_member(
            actor=owner,
            organization_id=organization.pk,
            group_id=group.pk,
            member_id=group.members.get().pk,
        )
        assert access_for(user, room).role == role


def test_erase_refused_keeps_everything() -> None:
    user = make_user()
    organization = make_organization(owner=user, member=make_user())
    room = make_room(organization, owner=user)
    make_link_grant(room, user)
    with pytest.raises(LastOwnerError):
        organizations.erase_user(user=user)
    assert (room.members.count(), ShareLinkGrant.objects.count()) == (1, 1)


def test_erase_takes_rooms_of_organizations_of_their_own_and_leaves_others_without_them(changes_of) -> None:
    user, owner = make_user(), make_user()
    alone = make_organization(owner=user)
    gone = make_room(alone, owner=user, viewer=owner)
    StoredUpdate.objects.create(room=gone, seq=1, data=b"\0\0")
    shared = make_room(make_organization(owner=owner, member=user), owner=user)
    StoredUpdate.objects.create(room=shared, seq=1, data=b"\0\0", author_id=user.pk)
    make_link_grant(shared, user)
    erase = partial(organizations.erase_user, user=user)
    assert changes_of(erase) == [(User, user.pk), (Organization, alone.pk)]
    assert list(Room.objects.all()) == [shared]
    assert not RoomMember.objects.exists()
    assert not ShareLinkGrant.objects.exists()
    assert access_for(owner, shared).role == "owner"
    assert StoredUpdate.objects.get().author_id == user.pk
