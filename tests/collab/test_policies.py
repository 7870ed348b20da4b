"""Roles become rights: the table of single grants, and agreement of all forms over random ones."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import OrganizationRole, User
from collab.models import Room, RoomRole
from collab.policies import NO_ACCESS, Abilities, Access, Grants, access_for, room_access
from collab.selectors import find_room_access, rooms_visible_to
from tests.factories import add_to_organization, add_to_room, make_organization, make_room, make_user

NOTHING = Grants(None, None, None)
READ = {"read"}
WRITE = {"read", "write"}
ALL = set(asdict(Abilities()))

ROOM_ROLES = [None, *RoomRole.values]
ORGANIZATION_ROLES = [None, *OrganizationRole.values]
WIDE_ROLES = [None, "editor", "viewer"]

grants = st.builds(
    Grants,
    st.sampled_from(ROOM_ROLES),
    st.sampled_from(ORGANIZATION_ROLES),
    st.sampled_from(WIDE_ROLES),
    st.booleans(),
    st.booleans(),
)


def abilities_of(access: Access) -> set[str]:
    return {name for name, allowed in asdict(access.abilities).items() if allowed}


@pytest.mark.parametrize(
    ("given_grants", "expected"),
    [
        (NOTHING, set()),
        (Grants(None, None, "editor"), set()),
        (Grants(None, "guest", "editor"), set()),
        (Grants(None, "member", None), set()),
        (Grants("owner", "owner", "editor", is_trashed=True), set()),
        (Grants("owner", "owner", "editor", is_active_user=False), set()),
        (Grants("viewer", None, None), READ),
        (Grants("viewer", None, "editor"), READ),
        (Grants("viewer", "guest", "editor"), READ),
        (Grants(None, "member", "viewer"), READ),
        (Grants("editor", None, None), WRITE),
        (Grants("viewer", "member", "editor"), WRITE),
        (Grants("editor", "member", "viewer"), WRITE),
        (Grants("owner", "guest", None), ALL),
        (Grants(None, "admin", None), ALL),
        (Grants("viewer", "owner", "viewer"), ALL),
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


room_rows = st.tuples(st.sampled_from(ROOM_ROLES), st.sampled_from(WIDE_ROLES), st.booleans())
organization_rows = st.tuples(st.sampled_from(ORGANIZATION_ROLES), st.lists(room_rows, max_size=4))


def make_world(user: User, organizations: list) -> dict[Room, Grants]:
    """The rooms of some organizations, with what the user holds in each; another user owns everything."""
    someone = make_user()
    world = {}
    for organization_role, rooms in organizations:
        organization = make_organization(owner=someone)
        if organization_role:
            add_to_organization(organization, user, organization_role)
        for room_role, wide_role, is_trashed in rooms:
            trashed_at = "2026-01-01T00:00:00Z" if is_trashed else None
            room = make_room(organization, owner=someone, organization_role=wide_role, trashed_at=trashed_at)
            if room_role:
                add_to_room(room, user, room_role)
            world[room] = Grants(room_role, organization_role, wide_role, is_trashed, user.is_active)
    return world


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
        found = {room.pk: find_room_access(user.pk, room.pk) for room in world}
        assert {pk: row.access for pk, row in found.items() if row} == readable
        transaction.set_rollback(True)
