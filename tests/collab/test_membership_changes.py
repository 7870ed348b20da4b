"""The law: after any sequence of changes of members, groups and invitations, everybody has what it left them.

A model in plain Python follows the same changes. Whoever was invited counts as a member of the model from
then on; that there is an account, and an active one, decides whether they get anything of it.
"""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from accounts.errors import AlreadyMemberError, UnknownGroupError, UnknownMemberError
from accounts.models import GroupMember, OrganizationMember, OrganizationRole, User
from accounts.selectors import of_address
from accounts.services import groups as group_services
from accounts.services import organizations as organization_services
from accounts.services import users
from collab.live_access import Subject, find_room_access
from collab.models import RoomMember, RoomRole
from collab.policies import Access, Grants, access_for, room_access
from collab.selectors import rooms_visible_to
from collab.services import members, organizations
from tests.factories import make_group, make_organization, make_room, make_user

PEOPLE = ["ada@example.com", "ben@example.com"]
HAVE_AN_ACCOUNT = PEOPLE[:1]
GROUPS = 2
ROOMS = 2
#: This one belongs to another organization.
OUTSIDE = 1
STRENGTH = ["viewer", "editor", "owner"]

#: What gives is drawn more often than what takes, so that there is something to take.
CHANGES = [
    *["join", "enter", "share_user", "share_group", "wake"] * 2,
    *["rank", "quit", "exit", "disband", "change", "revoke", "arrive", "rest"],
]
STEPS = 60


class World:
    """Rows, the model of what they should mean, and each change as done to both."""

    def __init__(self) -> None:
        self.owner = make_user()
        self.organization = make_organization(owner=self.owner)
        elsewhere = make_organization(owner=self.owner)
        self.rooms = [
            make_room(elsewhere if number == OUTSIDE else self.organization, owner=self.owner)
            for number in range(ROOMS)
        ]
        self.groups = [make_group(self.organization) for _ in range(GROUPS)]
        self.users = {email: make_user(email=email) for email in HAVE_AN_ACCOUNT}
        self.resting: set[str] = set()
        self.ranks: dict[str, str] = {}
        self.in_groups: list[set[str]] = [set() for _ in range(GROUPS)]
        self.shared: list[dict[str | int, str]] = [{} for _ in range(ROOMS)]

    def expected(self, email: str, room: int) -> Access:
        held = self.shared[room]
        by_groups = [
            held[group] for group in range(GROUPS) if group in held and email in self.in_groups[group]
        ]
        is_inside = room != OUTSIDE
        return room_access(
            Grants(
                member_role=held.get(email),
                group_role=max(by_groups, key=STRENGTH.index, default=None),
                organization_member_role=self.ranks.get(email) if is_inside else None,
                is_active_user=email not in self.resting,
            )
        )

    def check(self) -> None:
        for email, user in self.users.items():
            account = User.objects.get(pk=user.pk)
            expected = [self.expected(email, number) for number in range(ROOMS)]
            found = [find_room_access(Subject(user.pk), room.pk) for room in self.rooms]
            readable = {room.pk for room in rooms_visible_to(account)}
            for room, access, lease in zip(self.rooms, expected, found, strict=True):
                assert access_for(account, room) == access
                assert (lease.access if lease else None) == (access if access.abilities.read else None)
                assert (room.pk in readable) == access.abilities.read

    def join(self, email: str, rank: OrganizationRole, **_: Any) -> None:
        organization_services.add_organization_member(
            actor=self.owner, organization_id=self.organization.pk, email=email, role=rank
        )
        self.ranks[email] = rank

    def rank(self, email: str, rank: OrganizationRole, **_: Any) -> None:
        organization_services.change_organization_member_role(**self._member(email), role=rank)
        self.ranks[email] = rank

    def quit(self, email: str, **_: Any) -> None:
        organizations.remove_organization_member(**self._member(email))
        del self.ranks[email]
        for group in self.in_groups:
            group.discard(email)
        for number, held in enumerate(self.shared):
            if number != OUTSIDE:
                held.pop(email, None)

    def enter(self, email: str, group: int, **_: Any) -> None:
        group_services.add_group_member(**self._group(group), email=email)
        self.in_groups[group].add(email)

    def exit(self, email: str, group: int, **_: Any) -> None:
        members = OrganizationMember.objects.filter(of_address(email))
        member = GroupMember.objects.get(group=self.groups[group], member__in=members)
        group_services.remove_group_member(**self._group(group), member_id=member.pk)
        self.in_groups[group].remove(email)

    def disband(self, group: int, **_: Any) -> None:
        organizations.delete_group(**self._group(group))
        self.groups[group] = make_group(self.organization)
        self.in_groups[group] = set()
        for held in self.shared:
            held.pop(group, None)

    def share_user(self, email: str, room: int, role: RoomRole, **_: Any) -> None:
        members.add_room_member(actor=self.owner, room_id=self.rooms[room].pk, role=role, email=email)
        self.shared[room][email] = role

    def share_group(self, group: int, room: int, role: RoomRole, **_: Any) -> None:
        members.add_room_member(
            actor=self.owner, room_id=self.rooms[room].pk, role=role, group_id=self.groups[group].pk
        )
        assert room != OUTSIDE
        self.shared[room][group] = role

    def change(self, email: str, group: int, room: int, role: RoomRole, **_: Any) -> None:
        for who, member in self._grants(email, group, room):
            members.change_room_member_role(
                actor=self.owner, room_id=member.room_id, member_id=member.pk, role=role
            )
            self.shared[room][who] = role

    def revoke(self, email: str, group: int, room: int, **_: Any) -> None:
        for who, member in self._grants(email, group, room):
            members.remove_room_member(actor=self.owner, room_id=member.room_id, member_id=member.pk)
            del self.shared[room][who]

    def arrive(self, email: str, **_: Any) -> None:
        if email not in self.users:
            self.users[email] = users.register_user(
                email=email, password="correct-horse-battery", name="Newcomer"
            )

    def rest(self, email: str, **_: Any) -> None:
        if email in self.users:
            users.deactivate_user(user=self.users[email], actor=None)
            self.resting.add(email)

    def wake(self, email: str, **_: Any) -> None:
        if email in self.users:
            users.activate_user(user=self.users[email], actor=None)
            self.resting.discard(email)

    def _member(self, email: str) -> dict[str, Any]:
        member = OrganizationMember.objects.get(of_address(email), organization=self.organization)
        return {"actor": self.owner, "organization_id": self.organization.pk, "member_id": member.pk}

    def _group(self, group: int) -> dict[str, Any]:
        pk = self.groups[group].pk
        return {"actor": self.owner, "organization_id": self.organization.pk, "group_id": pk}

    def _grants(self, email: str, group: int, room: int) -> list[tuple[str | int, RoomMember]]:
        rows = RoomMember.objects.filter(room=self.rooms[room])
        by_name = rows.filter(of_address(email)).first()
        by_group = rows.filter(group=self.groups[group]).first()
        return [(who, row) for who, row in ((email, by_name), (group, by_group)) if row]


#: What the services say of a change that makes no sense as things are; the model then stays as it is.
REFUSED = (
    AlreadyMemberError,
    UnknownMemberError,
    UnknownGroupError,
    OrganizationMember.DoesNotExist,
    GroupMember.DoesNotExist,
)


@pytest.mark.django_db
@settings(max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(seed=st.integers(0, 2**32))
@override_settings(VERIFY_INVITATIONS=False)
def test_access_after_any_changes_is_that_of_the_model(seed: int) -> None:
    random = Random(seed)
    with transaction.atomic():
        world = World()
        for _ in range(STEPS):
            change = random.choice(CHANGES)
            with suppress(*REFUSED):
                getattr(world, change)(
                    email=random.choice(PEOPLE),
                    group=random.randrange(GROUPS),
                    room=random.randrange(ROOMS),
                    rank=random.choice([OrganizationRole.MEMBER, OrganizationRole.GUEST]),
                    role=random.choice(list(RoomRole)),
                )
            if change in {"quit", "disband", "exit", "revoke", "arrive"}:
                world.check()
        world.check()
        transaction.set_rollback(True)
