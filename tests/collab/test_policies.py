"""Roles become rights: the table of single grants, and agreement of all forms over random ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import Organization, OrganizationRole, User
from collab.live_access import Subject, find_room_access
from collab.models import Room, RoomMember, RoomRole
from collab.policies import NO_ACCESS, Abilities, Access, Grants, access_for, room_access
from collab.selectors import explain_access, rooms_visible_to
from tests.factories import (
    add_to_organization,
    add_to_room,
    make_group,
    make_link_grant,
    make_organization,
    make_room,
    make_user,
)

NOTHING = Grants()
READ = {"read"}
WRITE = {"read", "write"}
ALL = set(asdict(Abilities()))

ROOM_ROLES = [None, *RoomRole.values]
ORGANIZATION_ROLES = [None, *OrganizationRole.values]
WIDE_ROLES = [None, "editor", "viewer"]

grants = st.builds(
    Grants,
    member_role=st.sampled_from(ROOM_ROLES),
    group_role=st.sampled_from(ROOM_ROLES),
    link_role=st.sampled_from(WIDE_ROLES),
    organization_member_role=st.sampled_from(ORGANIZATION_ROLES),
    organization_wide_role=st.sampled_from(WIDE_ROLES),
    is_trashed=st.booleans(),
    is_active_user=st.booleans(),
)


def abilities_of(access: Access) -> set[str]:
    return {name for name, allowed in asdict(access.abilities).items() if allowed}


@pytest.mark.parametrize(
    ("given_grants", "expected"),
    [
        (NOTHING, set()),
        (Grants(organization_wide_role="editor"), set()),
        (Grants(organization_member_role="guest", organization_wide_role="editor"), set()),
        (Grants(organization_member_role="member"), set()),
        (
            Grants(
                member_role="owner",
                organization_member_role="owner",
                organization_wide_role="editor",
                is_trashed=True,
            ),
            set(),
        ),
        (
            Grants(
                member_role="owner",
                organization_member_role="owner",
                organization_wide_role="editor",
                is_active_user=False,
            ),
            set(),
        ),
        (Grants(member_role="viewer"), READ),
        (Grants(member_role="viewer", organization_wide_role="editor"), READ),
        (
            Grants(member_role="viewer", organization_member_role="guest", organization_wide_role="editor"),
            READ,
        ),
        (Grants(organization_member_role="member", organization_wide_role="viewer"), READ),
        (Grants(member_role="editor"), WRITE),
        (
            Grants(member_role="viewer", organization_member_role="member", organization_wide_role="editor"),
            WRITE,
        ),
        (
            Grants(member_role="editor", organization_member_role="member", organization_wide_role="viewer"),
            WRITE,
        ),
        (Grants(member_role="owner", organization_member_role="guest"), ALL),
        (Grants(organization_member_role="admin"), ALL),
        (
            Grants(member_role="viewer", organization_member_role="owner", organization_wide_role="viewer"),
            ALL,
        ),
        (Grants(group_role="viewer"), READ),
        (Grants(group_role="owner"), ALL),
        (Grants(link_role="viewer"), READ),
        (Grants(link_role="editor", organization_member_role="guest"), WRITE),
        (Grants(member_role="viewer", group_role="editor", link_role="viewer"), WRITE),
        (Grants(member_role="editor", group_role="viewer"), WRITE),
        (Grants(group_role="owner", link_role="editor", is_trashed=True), set()),
    ],
    ids=str,
)
def test_room_access_of_grants_is_the_strongest(given_grants: Grants, expected: set[str]) -> None:
    assert abilities_of(room_access(given_grants)) == expected


@given(grants)
def test_room_access_in_the_trash_or_deactivated_is_none(some: Grants) -> None:
    assert room_access(replace(some, is_trashed=True)) == NO_ACCESS
    assert room_access(replace(some, is_active_user=False)) == NO_ACCESS


@given(grants)
def test_room_access_with_a_role_can_read_and_without_one_nothing(some: Grants) -> None:
    access = room_access(some)
    assert access.abilities.read == (access.role is not None)
    assert access.abilities.read or access == NO_ACCESS


@given(grants, st.sampled_from(ROOM_ROLES))
def test_room_access_with_one_more_grant_is_never_less(some: Grants, role: str | None) -> None:
    more = replace(some, member_role=some.member_role or role)
    assert abilities_of(room_access(some)) <= abilities_of(room_access(more))


@pytest.mark.django_db
def test_access_for_an_anonymous_user_is_none() -> None:
    room = make_room(owner=make_user(), organization_role="editor")
    assert access_for(AnonymousUser(), room) == NO_ACCESS


@pytest.mark.django_db
def test_access_for_a_room_that_was_deleted_is_none() -> None:
    user = make_user()
    room = make_room(owner=user)
    Room.objects.all().delete()
    assert access_for(user, room) == NO_ACCESS


@pytest.mark.django_db
def test_access_for_a_room_that_was_read_for_another_user_is_ones_own() -> None:
    owner, other = make_user(), make_user()
    make_room(owner=owner)
    room = rooms_visible_to(owner).get()
    assert access_for(owner, room).role == RoomRole.OWNER
    assert access_for(other, room) == NO_ACCESS


@pytest.mark.django_db
def test_access_for_a_plain_room_is_one_query(django_assert_num_queries) -> None:
    user = make_user()
    room = make_room(make_organization(member=user), viewer=user, organization_role="editor")
    with django_assert_num_queries(1):
        assert access_for(user, room).role == RoomRole.EDITOR


@pytest.mark.django_db
def test_access_for_a_room_read_with_its_grants_is_no_query(django_assert_num_queries) -> None:
    user = make_user()
    make_room(viewer=user)
    room = rooms_visible_to(user).get()
    with django_assert_num_queries(0):
        assert access_for(user, room).role == RoomRole.VIEWER


@dataclass(frozen=True)
class LinkRow:
    role: str
    is_expired: bool
    by_user: bool


@dataclass(frozen=True)
class RoomRow:
    member_role: str | None
    group_roles: list[tuple[str, bool]]
    links: list[LinkRow]
    wide_role: str | None
    is_trashed: bool


link_rows = st.builds(LinkRow, st.sampled_from(WIDE_ROLES[1:]), st.booleans(), st.booleans())
room_rows = st.builds(
    RoomRow,
    st.sampled_from(ROOM_ROLES),
    st.lists(st.tuples(st.sampled_from(ROOM_ROLES[1:]), st.booleans()), max_size=2),
    st.lists(link_rows, max_size=2),
    st.sampled_from(WIDE_ROLES),
    st.booleans(),
)
organization_rows = st.tuples(st.sampled_from(ORGANIZATION_ROLES), st.lists(room_rows, max_size=3))


def make_world(user: User, organizations: list) -> dict[Room, Grants]:
    """The rooms of some organizations, with what the user holds in each; another user has all of it too."""
    someone = make_user()
    world = {}
    for organization_role, rooms in organizations:
        organization = make_organization(owner=someone)
        if organization_role:
            add_to_organization(organization, user, organization_role)
        for row in rooms:
            world[make_granted_room(organization, user, someone, row)] = Grants(
                member_role=row.member_role,
                group_role=strongest(role for role, is_in in row.group_roles if is_in and organization_role),
                link_role=strongest(link.role for link in row.links if link.by_user and not link.is_expired),
                organization_member_role=organization_role,
                organization_wide_role=row.wide_role,
                is_trashed=row.is_trashed,
                is_active_user=user.is_active,
            )
    return world


def make_granted_room(organization: Organization, user: User, someone: User, row: RoomRow) -> Room:
    room = make_room(
        organization,
        owner=someone,
        organization_role=row.wide_role,
        trashed_at="2026-01-01T00:00:00Z" if row.is_trashed else None,
    )
    if row.member_role:
        add_to_room(room, user, row.member_role)
    is_member = organization.members.filter(user=user).exists()
    for role, is_in in row.group_roles:
        group = make_group(organization, someone, *([user] if is_in and is_member else []))
        RoomMember.objects.create(room=room, group=group, role=role)
    for link in row.links:
        expires_at = timezone.now() + timedelta(seconds=-1 if link.is_expired else 60)
        make_link_grant(room, user if link.by_user else someone, role=link.role, expires_at=expires_at)
    return room


def strongest(roles: Iterable[str]) -> str | None:
    return max(roles, key=["viewer", "editor", "owner"].index, default=None)


@pytest.mark.django_db
@settings(max_examples=60)
@given(organizations=st.lists(organization_rows, max_size=3), is_active=st.booleans())
def test_all_forms_of_access_agree_over_random_grants(organizations: list, is_active: bool) -> None:
    with transaction.atomic():
        user = make_user(is_active=is_active)
        world = make_world(user, organizations)
        expected = {room.pk: room_access(held) for room, held in world.items()}
        readable = {pk: access for pk, access in expected.items() if access.abilities.read}
        assert {r.pk: access_for(user, r) for r in rooms_visible_to(user)} == readable
        assert {r.pk: access_for(user, Room.objects.get(pk=r.pk)) for r in world} == expected
        found = {room.pk: find_room_access(Subject(user.pk), room.pk) for room in world}
        assert {pk: row.access for pk, row in found.items() if row} == readable
        assert set(rooms_visible_to(user, trashed=True)) == {
            room
            for room, held in world.items()
            if held.is_trashed and room_access(replace(held, is_trashed=False)).abilities.delete
        }
        transaction.set_rollback(True)


@pytest.mark.django_db
@settings(max_examples=60)
@given(organizations=st.lists(organization_rows, max_size=3), is_active=st.booleans())
def test_explanation_agrees_with_access_over_random_grants(organizations: list, is_active: bool) -> None:
    with transaction.atomic():
        user = make_user(is_active=is_active)
        for room, held in make_world(user, organizations).items():
            explained = explain_access(user, room)
            assert explained.access == room_access(held)
            assert (explained.is_trashed, explained.is_active_user) == (held.is_trashed, is_active)
            roles = [given.role.value for given in explained.given]
            if not held.is_trashed and is_active:
                assert strongest(roles) == explained.access.role
            assert roles == sorted(roles, key=["owner", "editor", "viewer"].index)
            kinds = {given.kind for given in explained.given}
            assert ("member" in kinds) == (held.member_role is not None)
            assert ("group" in kinds) == (held.group_role is not None)
            assert ("share_link" in kinds) == (held.link_role is not None)
        transaction.set_rollback(True)


def test_explanation_names_the_source_of_every_grant(db: None) -> None:
    user = make_user()
    organization = make_organization(member=user)
    room = make_room(organization, viewer=user, organization_role="viewer")
    first, second, _ = (
        make_group(organization, user),
        make_group(organization, user),
        make_group(organization),
    )
    for group, role in ((first, "owner"), (second, "editor")):
        RoomMember.objects.create(room=room, group=group, role=role)
    expires_at = timezone.now() + timedelta(hours=1)
    grant = make_link_grant(room, user, role="editor", expires_at=expires_at)
    make_link_grant(room, user, role="editor", expires_at=timezone.now() - timedelta(hours=1))
    make_link_grant(room, make_user())
    explained = explain_access(user, room)
    assert explained.access.role == "owner"
    told = {(given.kind, given.role.value, given.group, given.expires_at) for given in explained.given}
    assert told == {
        ("group", "owner", first, None),
        ("group", "editor", second, None),
        ("share_link", "editor", None, expires_at),
        ("member", "viewer", None, None),
        ("organization_wide", "viewer", None, None),
    }
    sources = {given.kind: given.source for given in explained.given}
    assert sources["share_link"] == grant.link
    assert sources["member"] == room.members.get(user=user)
    assert sources["organization_wide"] == organization.members.get(user=user)


def test_explanation_for_an_admin_of_the_organization_is_their_role(db: None) -> None:
    admin = make_user()
    room = make_room(make_organization(admin=admin), organization_role="editor")
    (given,) = explain_access(admin, room).given
    assert (given.kind, given.role) == ("organization", "owner")


def test_explanation_of_no_access_names_what_would_give_it(db: None) -> None:
    user = make_user()
    room = make_room(editor=user, trashed_at="2026-01-01T00:00:00Z")
    explained = explain_access(user, room)
    assert (explained.access, explained.is_trashed) == (NO_ACCESS, True)
    assert [given.role for given in explained.given] == ["editor"]
    assert explain_access(make_user(), make_room(owner=user)).given == ()


@pytest.mark.parametrize("rows", [1, 5])
def test_explanation_costs_the_same_for_any_number_of_grants(
    rows: int, db, django_assert_num_queries
) -> None:
    user = make_user()
    room = make_room(make_organization(member=user))
    for _ in range(rows):
        make_link_grant(room, user)
        RoomMember.objects.create(room=room, group=make_group(room.organization, user), role="viewer")
    with django_assert_num_queries(4):  # memberships, links, the organization, what results
        assert len(explain_access(user, room).given) == 2 * rows
