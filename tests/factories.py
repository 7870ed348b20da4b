"""Rows for tests, written past the services: tests say what is there, not how it came about."""

from __future__ import annotations

from itertools import count

from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import Organization, OrganizationMember, OrganizationRole, User
from collab.models import Room, RoomHead, RoomMember, RoomRole

_numbers = count(1)


def make_user(name: str = "", *, password: str | None = None, **fields: object) -> User:
    """An active user with an address of their own and, unless given, no usable password."""
    name = name or f"User {next(_numbers)}"
    email = fields.pop("email", f"{name.lower().replace(' ', '.')}.{next(_numbers)}@example.com")
    return User.objects.create_user(str(email), password, name=name, **fields)


def make_organization(
    *,
    owner: User | None = None,
    admin: User | None = None,
    member: User | None = None,
    guest: User | None = None,
    name: str = "",
) -> Organization:
    """An organization with up to one member of each role."""
    organization = Organization.objects.create(name=name or f"Organization {next(_numbers)}")
    people = {"owner": owner, "admin": admin, "member": member, "guest": guest}
    for role, user in people.items():
        if user:
            add_to_organization(organization, user, role)
    return organization


def add_to_organization(organization: Organization, user: User, role: str) -> OrganizationMember:
    return OrganizationMember.objects.create(
        organization=organization, user=user, role=OrganizationRole(role)
    )


def make_room(
    organization: Organization | None = None,
    *,
    owner: User | None = None,
    editor: User | None = None,
    viewer: User | None = None,
    **fields: object,
) -> Room:
    """A room with its head and up to one member of each role; in an organization of its own if none given."""
    fields = {"name": f"Room {next(_numbers)}", **fields}
    room = Room.objects.create(organization=organization or make_organization(), **fields)
    RoomHead.objects.create(room=room)
    for role, user in {"owner": owner, "editor": editor, "viewer": viewer}.items():
        if user:
            add_to_room(room, user, role)
    return room


def add_to_room(room: Room, user: User, role: str) -> RoomMember:
    return RoomMember.objects.create(room=room, user=user, role=RoomRole(role))


def access_token(user: User) -> str:
    """An encoded access token of this user."""
    return str(AccessToken.for_user(user))
