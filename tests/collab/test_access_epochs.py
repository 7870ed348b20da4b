"""The law of every way out: whose access moves, an epoch of theirs was raised, and that was announced.

Random choices for each change, through the services. A lease looks at the epochs of user, room and
organization: what a service forgets to raise would leave an open socket with what it was given.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.db.models import QuerySet
from django.test import TestCase

from accounts.errors import DomainError
from accounts.models import Group, OrganizationRole, User
from accounts.services import groups, organizations, users
from collab.live_access import current_epochs
from collab.models import AccessRequest, RoomMember, RoomRole, ShareLinkGrant
from collab.policies import Access, access_for
from collab.selectors import rooms_visible_to
from collab.services import access_requests, members, ownership, rooms, share_links
from collab.services import organizations as room_organizations
from tests.factories import (
    add_to_room,
    make_group,
    make_link,
    make_organization,
    make_room,
    make_user,
    recorded_access_changes,
)

T = TypeVar("T")


class World:
    """Some people, two organizations, and rooms to which some have access, in every way that there is."""

    def __init__(self) -> None:
        boss, member, guest, stranger = self.users = [make_user() for _ in range(4)]
        self.users.append(make_user(is_active=False))
        self.organizations = [make_organization(owner=boss, member=member, guest=guest)]
        self.organizations.append(make_organization(owner=stranger, admin=boss))
        self.rooms = [
            make_room(self.organizations[0], owner=boss, viewer=stranger, organization_role="viewer"),
            make_room(self.organizations[0], owner=member, editor=guest),
            make_room(self.organizations[1], owner=stranger, viewer=member),
            make_room(self.organizations[1], editor=self.users[4], trashed_at="2026-01-01T00:00:00Z"),
        ]
        add_to_room(self.rooms[0], self.users[4], "editor")
        AccessRequest.objects.create(room=self.rooms[2], user=member, role="editor")
        group = make_group(self.organizations[0], guest)
        RoomMember.objects.create(room=self.rooms[0], group=group, role="editor")
        links = [make_link(room, role="editor") for room in self.rooms]
        ShareLinkGrant.objects.create(link=links[1], user=stranger)
        ShareLinkGrant.objects.create(link=links[2], user=guest)
        self.tokens = [link.token for link in links]

    def accesses(self) -> dict[tuple[UUID, UUID], Access]:
        """What everyone may do who may do anything, by the ids of user and room."""
        return {
            (user.pk, room.pk): access_for(user, room)
            for user in User.objects.filter(pk__in=[user.pk for user in self.users])
            for room in rooms_visible_to(user)
        }

    def epochs(self) -> dict[UUID, int]:
        return current_epochs([row.pk for row in (*self.users, *self.rooms, *self.organizations)])


class Chooser:
    """Makes the random choices of one change; the actor is often somebody who may."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.actor = User.objects.get(pk=self.of([*world.users, *world.users[:1] * 4]).pk)
        self.user = self.of(world.users)
        self.room = self.of(world.rooms)
        self.organization = self.of(world.organizations)
        self.room_role = self.of(list(RoomRole))
        self.shared_role = self.of([RoomRole.VIEWER, RoomRole.EDITOR])

    def of(self, choices: Sequence[T]) -> T:
        return random.choice(choices)

    def id_of(self, rows: QuerySet[Any]) -> UUID:
        ids = list(rows.values_list("pk", flat=True))
        return self.of(ids) if ids else uuid4()

    def in_room(self) -> dict[str, Any]:
        return {"actor": self.actor, "room_id": self.room.pk}

    def in_organization(self) -> dict[str, Any]:
        return {"actor": self.actor, "organization_id": self.organization.pk}

    def room_member(self) -> dict[str, Any]:
        return self.in_room() | {"member_id": self.id_of(self.room.members)}

    def organization_member(self) -> dict[str, Any]:
        return self.in_organization() | {"member_id": self.id_of(self.organization.members)}

    def link(self) -> dict[str, Any]:
        return self.in_room() | {"link_id": self.id_of(self.room.share_links)}

    def request(self) -> dict[str, Any]:
        return self.in_room() | {"request_id": self.id_of(self.room.access_requests)}

    def group(self) -> dict[str, Any]:
        return self.in_organization() | {"group_id": self.id_of(self.organization.groups)}

    def group_member(self) -> dict[str, Any]:
        chosen = self.group()
        group = Group.objects.filter(pk=chosen["group_id"]).first()
        return chosen | {"member_id": self.id_of(group.members) if group else uuid4()}

    def token(self) -> str:
        return self.of(self._world.tokens)


CHANGES: dict[str, Callable[[Chooser], object]] = {
    "add room member": lambda c: members.add_room_member(**c.in_room(), role=c.room_role, user_id=c.user.pk),
    "share with group": lambda c: members.add_room_member(
        **c.in_room(), role=c.room_role, group_id=c.group()["group_id"]
    ),
    "change room member": lambda c: members.change_room_member_role(**c.room_member(), role=c.room_role),
    "remove room member": lambda c: members.remove_room_member(**c.room_member()),
    "open to the organization": lambda c: rooms.update_room(
        **c.in_room(), organization_role=c.of([None, RoomRole.VIEWER, RoomRole.EDITOR])
    ),
    "trash": lambda c: rooms.trash_room(**c.in_room()),
    "restore": lambda c: rooms.restore_room(**c.in_room()),
    "transfer": lambda c: ownership.transfer_room(**c.in_room(), user_id=c.user.pk),
    "leave": lambda c: ownership.leave_room(**c.in_room()),
    "change link": lambda c: share_links.update_share_link(**c.link(), role=c.shared_role),
    "delete link": lambda c: share_links.delete_share_link(**c.link()),
    "redeem": lambda c: share_links.redeem_share_link(actor=c.actor, token=c.token()),
    "accept": lambda c: access_requests.accept_access_request(**c.request()),
    "add organization member": lambda c: organizations.add_organization_member(
        **c.in_organization(), email=c.user.email, role=c.of(list(OrganizationRole))
    ),
    "change organization member": lambda c: organizations.change_organization_member_role(
        **c.organization_member(), role=c.of(list(OrganizationRole))
    ),
    "remove organization member": lambda c: room_organizations.remove_organization_member(
        **c.organization_member()
    ),
    "delete organization": lambda c: room_organizations.delete_organization(**c.in_organization()),
    "add group member": lambda c: groups.add_group_member(**c.group(), user_id=c.user.pk),
    "remove group member": lambda c: groups.remove_group_member(**c.group_member()),
    "delete group": lambda c: room_organizations.delete_group(**c.group()),
    "deactivate": lambda c: users.deactivate_user(user=c.user, actor=None),
    "activate": lambda c: users.activate_user(user=c.user, actor=None),
    "erase": lambda c: room_organizations.erase_user(user=c.user),
}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_change_that_moves_access_raises_an_epoch_and_announces_it(name: str, db: None) -> None:
    world = World()
    before, epochs_before = world.accesses(), world.epochs()
    organization_of = {room.pk: room.organization_id for room in world.rooms}
    moves = 0
    for _ in range(300):
        with transaction.atomic():
            with recorded_access_changes(TestCase.captureOnCommitCallbacks) as announced:
                change(world, name)
            after, epochs = world.accesses(), world.epochs()
            transaction.set_rollback(True)
        told = {row_id for _, row_id in announced}
        for user_id, room_id in before:
            if after.get((user_id, room_id)) != before[user_id, room_id]:
                looked_at = {user_id, room_id, organization_of[room_id]}
                assert any(epochs.get(row_id) != epochs_before[row_id] for row_id in looked_at)
                assert told & looked_at
        moves += after != before
        if moves == 3:
            break
    assert moves, "It was refused whatever was chosen: the test says nothing of it."


def change(world: World, name: str) -> None:
    with contextlib.suppress(DomainError), transaction.atomic():
        CHANGES[name](Chooser(world))
