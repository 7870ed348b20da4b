"""Rows for tests, written past the services: tests say what is there, not how it came about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

from django.db import connections
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import Group, GroupMember, Organization, OrganizationMember, OrganizationRole, User
from accounts.signals import access_changed
from collab.models import (
    LiveConnection,
    Room,
    RoomHead,
    RoomMember,
    RoomRole,
    ServerProcess,
    ShareLink,
    ShareLinkGrant,
)

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


def add_to_organization(organization: Organization, who: User | str, role: str) -> OrganizationMember:
    """A membership; an invitation for an e-mail address."""
    grantee = {"email" if isinstance(who, str) else "user": who}
    return OrganizationMember.objects.create(
        organization=organization, role=OrganizationRole(role), **grantee
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


def add_to_room(room: Room, who: User | Group | str, role: str) -> RoomMember:
    """A membership of a user or group; an invitation for an e-mail address."""
    kind = {User: "user", Group: "group"}.get(type(who), "email")
    return RoomMember.objects.create(room=room, role=RoomRole(role), **{kind: who})


def make_group(organization: Organization, *users: User) -> Group:
    """A group of members of the organization."""
    group = Group.objects.create(organization=organization, name=f"Group {next(_numbers)}")
    for user in users:
        GroupMember.objects.create(group=group, member=organization.members.get(user=user))
    return group


def make_link(room: Room, *, role: str = "viewer", **fields: object) -> ShareLink:
    """A share link; `token` is the secret that redeems it."""
    token = f"token-{next(_numbers)}"
    link = ShareLink.objects.create(room=room, role=role, digest=sha256(token.encode()).hexdigest(), **fields)
    link.token = token
    return link


def make_link_grant(room: Room, user: User, **fields: object) -> ShareLinkGrant:
    """What somebody holds who redeemed a link."""
    return ShareLinkGrant.objects.create(link=make_link(room, uses=1, **fields), user=user)


def make_connection(room: Room, user: User, **fields: Any) -> LiveConnection:
    """An open socket in a process that is there, which in truth it is not."""
    process = ServerProcess.objects.create(pk=uuid4(), seen_at=timezone.now())
    fields = {"role": "editor", "protocol": "y-websocket", "since": timezone.now(), **fields}
    return LiveConnection.objects.create(
        pk=uuid4(), **{"process_id": process.pk, "room": room, "user": user, **fields}
    )


def access_token(user: User) -> str:
    """An encoded access token of this user."""
    return str(AccessToken.for_user(user))


def api_client(user: User | None = None) -> APIClient:
    """A client of the REST API that sends JSON, signed in as `user`."""
    client = APIClient()
    if user:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {access_token(user)}")
    return client


@contextmanager
def recorded_access_changes(capture_on_commit_callbacks: Any) -> Iterator[list[tuple[type, UUID]]]:
    """What `access_changed` tells about the block, once it is over, as (model, id).

    `capture_on_commit_callbacks` is the fixture `django_capture_on_commit_callbacks`.
    """
    changes: list[tuple[type, UUID]] = []

    def record(sender: type, object_ids: Collection[UUID], **_: object) -> None:
        changes.extend((sender, object_id) for object_id in object_ids)

    access_changed.connect(record)
    try:
        with capture_on_commit_callbacks(execute=True):
            yield changes
    finally:
        access_changed.disconnect(record)


def run_together(*functions: Callable[[], object]) -> list[object]:
    """Run each in a thread and with a database connection of its own; the results, or what they raised."""
    barrier = Barrier(len(functions))

    def run(function: Callable[[], object]) -> object:
        try:
            barrier.wait()
            return function()
        except Exception as error:  # noqa: BLE001  # handed to the test, which looks at it
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))
