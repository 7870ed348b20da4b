"""Groups: who may see and change them, and whose access that moves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from accounts import selectors
from accounts.errors import (
    AlreadyMemberError,
    NameTakenError,
    NotFoundError,
    PermissionDeniedError,
    UnknownMemberError,
)
from accounts.models import AuditEntry, Group, User
from accounts.services import groups
from tests.factories import (
    add_to_organization,
    make_group,
    make_organization,
    make_user,
    recorded_access_changes,
)

pytestmark = pytest.mark.django_db

ACTIONS: dict[str, Callable[..., Any]] = {
    "create": partial(groups.create_group, name="New"),
    "rename": partial(groups.rename_group, name="New"),
    "delete": groups.delete_group,
    "add": partial(groups.add_group_member, email="nobody@example.com"),
    "remove": partial(groups.remove_group_member, member_id=uuid4()),
}
SELECTORS: dict[str, Callable[..., Any]] = {
    "groups": lambda user, group: selectors.groups_visible_to(user, group.organization_id),
    "group": lambda user, group: selectors.access_group(user, group.organization_id, group.pk),
    "members": lambda user, group: selectors.group_members_visible_to(user, group.organization_id, group.pk),
    "member": lambda user, group: selectors.access_group_member(
        user, group.organization_id, group.pk, group.members.get().pk
    ),
}


@pytest.fixture
def owner() -> User:
    return make_user()


@pytest.fixture
def group(owner: User) -> Group:
    return make_group(make_organization(owner=owner))


def attempt(action: Callable[..., Any], actor: User, group: Group) -> Any:
    ids = {"organization_id": group.organization_id}
    is_new = getattr(action, "func", action) is groups.create_group
    return action(actor=actor, **ids, **({} if is_new else {"group_id": group.pk}))


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS.keys())
def test_every_action_by_a_stranger_raises_not_found(action: Callable[..., Any], group: Group) -> None:
    with pytest.raises(NotFoundError):
        attempt(action, make_user(), group)


@pytest.mark.parametrize("role", ["member", "guest"])
@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS.keys())
def test_every_action_by_less_than_an_admin_raises(
    action: Callable[..., Any], role: str, group: Group
) -> None:
    user = make_user()
    add_to_organization(group.organization, user, role)
    with pytest.raises(PermissionDeniedError):
        attempt(action, user, group)
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("action", [ACTIONS[name] for name in ACTIONS if name != "create"])
def test_every_action_on_a_group_of_another_organization_raises_not_found(
    action: Callable[..., Any], owner: User
) -> None:
    foreign = make_group(make_organization(owner=owner))
    own = make_organization(owner=owner)
    with pytest.raises(NotFoundError):
        action(actor=owner, organization_id=own.pk, group_id=foreign.pk)


@pytest.mark.parametrize("select", SELECTORS.values(), ids=SELECTORS.keys())
def test_every_selector_for_strangers_and_guests_raises(select: Callable[..., Any], owner: User) -> None:
    guest = make_user()
    group = make_group(make_organization(owner=owner, guest=guest), owner)
    with pytest.raises(NotFoundError):
        select(make_user(), group)
    with pytest.raises(PermissionDeniedError):
        select(guest, group)


def test_access_of_what_belongs_to_another_group_or_organization_raises_not_found(owner: User) -> None:
    organization = make_organization(owner=owner)
    group, other = make_group(organization, owner), make_group(organization)
    foreign = make_group(make_organization(owner=owner), owner)
    with pytest.raises(NotFoundError):
        selectors.access_group(owner, organization.pk, foreign.pk)
    with pytest.raises(NotFoundError):
        selectors.access_group_member(owner, organization.pk, other.pk, group.members.get().pk)


@pytest.mark.parametrize("role", ["admin", "member"])
def test_groups_and_their_members_are_visible_to_members(role: str, owner: User) -> None:
    user = make_user()
    organization = make_organization(owner=owner, **{role: user})
    group = make_group(organization, owner)
    make_group(make_organization(owner=owner), owner)
    assert list(selectors.groups_visible_to(user, organization.pk)) == [group]
    members = selectors.group_members_visible_to(user, organization.pk, group.pk)
    assert [member.member.user for member in members] == [owner]


@pytest.mark.parametrize("name", ["editors", "Editors", "EDITORS"])
def test_create_or_rename_to_a_taken_name_in_any_case_raises(name: str, owner: User, group: Group) -> None:
    make = partial(groups.create_group, actor=owner, organization_id=group.organization_id)
    make(name="Editors")
    with pytest.raises(NameTakenError):
        make(name=name)
    with pytest.raises(NameTakenError):
        groups.rename_group(actor=owner, organization_id=group.organization_id, group_id=group.pk, name=name)
    assert Group.objects.count() == 2


def test_name_that_another_organization_uses_is_free(owner: User, group: Group) -> None:
    other = make_organization(owner=owner)
    assert groups.create_group(actor=owner, organization_id=other.pk, name=group.name).name == group.name


def test_rename_to_its_own_name_in_another_case_is_fine(owner: User, group: Group) -> None:
    rename = partial(
        groups.rename_group, actor=owner, organization_id=group.organization_id, group_id=group.pk
    )
    assert rename(name=group.name.upper()).name == group.name.upper()


def test_add_someone_who_is_no_member_of_the_organization_raises_for_the_field(
    owner: User, group: Group
) -> None:
    stranger = make_user()
    add_to_organization(make_organization(), stranger, "member")
    add = partial(
        groups.add_group_member, actor=owner, organization_id=group.organization_id, group_id=group.pk
    )
    for known, field in (({"email": stranger.email}, "email"), ({"user_id": stranger.pk}, "user")):
        with pytest.raises(UnknownMemberError) as error:
            add(**known)
        assert list(error.value.fields) == [field]
    assert not group.members.exists()


def test_add_twice_raises(owner: User, group: Group) -> None:
    add = partial(
        groups.add_group_member, actor=owner, organization_id=group.organization_id, group_id=group.pk
    )
    add(user_id=owner.pk)
    with pytest.raises(AlreadyMemberError):
        add(email=owner.email)


def test_remove_a_member_of_another_group_raises_not_found(owner: User, group: Group) -> None:
    other = make_group(group.organization, owner)
    with pytest.raises(NotFoundError):
        groups.remove_group_member(
            actor=owner,
            organization_id=group.organization_id,
            group_id=group.pk,
            member_id=other.members.get().pk,
        )


@pytest.mark.parametrize("by", ["email", "user"])
def test_add_and_remove_announce_the_user(by: str, django_capture_on_commit_callbacks) -> None:
    admin, other = make_user(), make_user()
    group = make_group(make_organization(admin=admin, member=other))
    known = {"email": {"email": other.email.upper()}, "user": {"user_id": other.pk}}[by]
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        added = groups.add_group_member(
            actor=admin, organization_id=group.organization_id, group_id=group.pk, **known
        )
    assert (added.member.user, changes) == (other, [(User, other.pk)])
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        groups.remove_group_member(
            actor=admin, organization_id=group.organization_id, group_id=group.pk, member_id=added.pk
        )
    assert (group.members.count(), changes) == (0, [(User, other.pk)])
    other.refresh_from_db()
    assert other.access_epoch == 2


def test_add_someone_who_is_invited_announces_nobody(
    owner: User, group: Group, django_capture_on_commit_callbacks
) -> None:
    invitation = add_to_organization(group.organization, "grace@example.com", "member")
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        groups.add_group_member(
            actor=owner,
            organization_id=group.organization_id,
            group_id=group.pk,
            email="Grace@Example.com",
        )
    assert (group.members.get().member, changes) == (invitation, [])


def test_delete_announces_everybody_in_it_and_nobody_else(django_capture_on_commit_callbacks) -> None:
    owner, one, two, outside = (make_user() for _ in range(4))
    organization = make_organization(owner=owner)
    for user in (one, two, outside):
        add_to_organization(organization, user, "member")
    group = make_group(organization, one, two)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        groups.delete_group(actor=owner, organization_id=organization.pk, group_id=group.pk)
    assert sorted(changes, key=str) == sorted([(User, one.pk), (User, two.pk)], key=str)
    assert not Group.objects.exists()
    assert organization.members.count() == 4


def test_every_change_is_audited_without_a_name_or_an_address(owner: User) -> None:
    organization = make_organization(owner=owner)
    invitation = add_to_organization(organization, "grace@example.com", "member")
    group = groups.create_group(actor=owner, organization_id=organization.pk, name="Editors")
    ids = {"actor": owner, "organization_id": organization.pk, "group_id": group.pk}
    groups.rename_group(**ids, name="Writers")
    groups.add_group_member(**ids, user_id=owner.pk)
    added = groups.add_group_member(**ids, email="grace@example.com")
    groups.remove_group_member(**ids, member_id=added.pk)
    groups.delete_group(**ids)
    entries = AuditEntry.objects.filter(organization_id=organization.pk).order_by("number")
    told = str(invitation.pk)
    assert [(entry.action, entry.actor_id, entry.subject_id) for entry in entries] == [
        ("group.created", owner.pk, group.pk),
        ("group.changed", owner.pk, group.pk),
        ("group.member.added", owner.pk, owner.pk),
        ("group.member.added", owner.pk, None),
        ("group.member.removed", owner.pk, None),
        ("group.deleted", owner.pk, group.pk),
    ]
    assert [entries[3].details["member"], entries[4].details["member"]] == [told, told]
    written = " ".join(str(entry.details) for entry in entries)
    assert not any(name in written for name in ("Editors", "Writers", "grace", "@"))
