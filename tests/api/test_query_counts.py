"""Every list costs as many queries for ten rows as for one; a new list needs an entry here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from accounts.audit import AuditAction, record
from accounts.models import GroupMember, Organization, User
from api.urls import urlpatterns
from collab.models import AccessRequest, Room
from tests.factories import (
    add_to_organization,
    add_to_room,
    make_connection,
    make_group,
    make_link,
    make_organization,
    make_room,
    make_user,
)

pytestmark = pytest.mark.django_db


class World:
    """An organization and a room in it that the caller owns."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.organization: Organization = make_organization(owner=user)
        self.room: Room = make_room(self.organization)
        self.group = make_group(self.organization)


def add_trashed_room(world: World) -> None:
    make_room(make_organization(owner=world.user), trashed_at="2026-01-01T00:00:00Z")


def add_readable_room(world: World) -> None:
    room = make_room(make_organization(member=world.user), organization_role="viewer")
    add_to_room(room, make_group(room.organization, world.user), "editor")


def add_group_member(world: World) -> None:
    member = add_to_organization(world.organization, make_user(), "member")
    GroupMember.objects.create(group=world.group, member=member)


def add_room_members(world: World) -> None:
    address = f"somebody.{world.room.members.count()}@example.com"
    for grantee in (make_user(), make_group(world.organization, world.user), address):
        add_to_room(world.room, grantee, "viewer")


def add_link(world: World) -> None:
    make_link(world.room, created_by=make_user()).wrong_passwords.create(user=make_user())


def add_request(world: World) -> None:
    AccessRequest.objects.create(
        room=world.room, user=make_user(), role="viewer", status="declined", answered_by=make_user()
    )


def add_entry(world: World) -> None:
    """Of the room, by somebody, to a user."""
    record(
        AuditAction.ROOM_MEMBER_ADDED,
        organization_id=world.organization.pk,
        actor=make_user(),
        room_id=world.room.pk,
        subject_id=make_user().pk,
    )


class List(NamedTuple):
    """`rows`: how many the list has before `add`, and how many each `add` brings."""

    path: str
    add: Callable[[World], object]
    rows: tuple[int, int]
    queries: int


ORGANIZATION = "organizations/{organization_id}/"
ROOM = "rooms/{room_id}/"
GROUPS = ORGANIZATION + "groups/"

# The first query is always the caller, the second what the list belongs to, if it belongs to something.
LISTS = [
    List("organizations/", lambda world: make_organization(member=world.user), (1, 1), 2),
    List(
        ORGANIZATION + "members/",
        lambda world: add_to_organization(world.organization, make_user(), "member"),
        (1, 1),
        3,
    ),
    List(GROUPS, lambda world: make_group(world.organization, world.user), (1, 1), 3),
    List(GROUPS + "{group_id}/members/", add_group_member, (0, 1), 4),  # the organization and the group
    List("rooms/", add_readable_room, (1, 1), 2),
    List("rooms/?trashed=true", add_trashed_room, (0, 1), 2),
    List(ROOM + "members/", add_room_members, (0, 3), 3),
    List(ROOM + "share-links/", add_link, (0, 1), 3),
    List(ROOM + "access-requests/", add_request, (0, 1), 3),
    List(ROOM + "connections/", lambda world: make_connection(world.room, make_user()), (0, 1), 3),
    # For all entries together: the people, the groups and the rooms.
    List(ORGANIZATION + "audit/", add_entry, (0, 1), 6),
    List(ROOM + "audit/", add_entry, (0, 1), 6),
]


@pytest.mark.parametrize("times", [1, 10])
@pytest.mark.parametrize("case", LISTS, ids=lambda case: case.path)
def test_list_costs_the_same_for_any_number_of_rows(
    case: List, times: int, api, user, django_assert_num_queries
) -> None:
    world = World(user)
    for _ in range(times):
        case.add(world)
    path = case.path.format(
        organization_id=world.organization.pk, room_id=world.room.pk, group_id=world.group.pk
    )
    before, each = case.rows
    with django_assert_num_queries(case.queries):
        assert len(api.get(f"/api/v1/{path}").json()["results"]) == before + each * times


def test_every_list_has_an_entry() -> None:
    lists = {
        str(pattern.pattern).replace("<uuid:", "{").replace(">", "}")
        for pattern in urlpatterns
        if "list" in (getattr(pattern.callback, "actions", None) or {}).values()
    }
    assert lists == {case.path.partition("?")[0] for case in LISTS}
