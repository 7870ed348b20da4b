"""Nothing that one tenant is told depends on another: neither answers nor errors, counts or audit trails.

The tenant asks for everything that the table of `test_http` has, before and after there is another one of
the same make: the same names, the same addresses invited, the same groups.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from rest_framework.test import APIClient

from accounts.audit import AuditAction, record
from accounts.models import Group, GroupMember, Organization
from collab.models import AccessRequest, LiveConnection, Room, ShareLink
from tests.factories import (
    add_to_organization,
    add_to_room,
    api_client,
    make_connection,
    make_link,
    make_link_grant,
    make_organization,
    make_room,
    make_user,
)
from tests.permissions.test_http import TABLE, Row

pytestmark = pytest.mark.django_db

SAVEPOINT = re.compile(r'"s\d+_x\d+"')
INVITED = "both.invite@example.com"
#: For what reads exports, which give the connection back between two parts.
committed = pytest.mark.django_db(transaction=True)
#: Everything that a tenant can read.
READS = [row for row in TABLE if row.method == "GET" and not row.in_trash]
#: Everything that is asked for by an id.
BY_ID = [row for row in TABLE if "_id}" in row.path and not row.in_trash]
IN_LISTS = ["rooms/?search=plan", "rooms/?trashed=true", "rooms/?ordering=name", "organizations/?page_size=1"]


def name_of(row: Row) -> str:
    return f"{row.method} {row.path} {row.body or ''}"


class Tenant:
    """An organization with one of everything, under names that say nothing."""

    def __init__(self) -> None:
        self.owner = make_user("Ada")
        self.member = make_user("Grace")
        self.organization: Organization = make_organization(
            owner=self.owner, member=self.member, name="Mathematicians"
        )
        self.invitation = add_to_organization(self.organization, INVITED, "member")
        self.group = Group.objects.create(organization=self.organization, name="Team")
        self.group_member = GroupMember.objects.create(
            group=self.group, member=self.organization.members.get(user=self.member)
        )
        self.room: Room = make_room(self.organization, owner=self.owner, name="Plan")
        self.trashed: Room = make_room(
            self.organization, owner=self.owner, name="Plan", trashed_at="2026-01-01T00:00:00Z"
        )
        self.room_member = add_to_room(self.room, self.group, "editor")
        add_to_room(self.room, INVITED, "viewer")
        self.link: ShareLink = make_link(self.room)
        make_link_grant(self.room, self.member)
        self.request = AccessRequest.objects.create(room=self.room, user=self.member, role="editor")
        self.connection: LiveConnection = make_connection(self.room, self.member)
        record(
            AuditAction.ROOM_MEMBER_ADDED,
            organization_id=self.organization.pk,
            actor=self.owner,
            room_id=self.room.pk,
            subject_id=self.group.pk,
            role="editor",
        )

    def ids(self) -> dict[str, UUID]:
        """What the paths and bodies of the table are filled with."""
        return {
            "organization_id": self.organization.pk,
            "room_id": self.room.pk,
            "group_id": self.group.pk,
            "request_id": self.request.pk,
            "link_id": self.link.pk,
            "connection_id": self.connection.pk,
            "colleague_id": self.member.pk,
            "reader_id": self.member.pk,
            "user_id": self.member.pk,
        }

    def member_id(self, path: str) -> UUID:
        if path.startswith("rooms/"):
            return self.room_member.pk
        return self.group_member.pk if "groups/" in path else self.invitation.pk


class Answer(NamedTuple):
    """`statements`: the queries, without their values."""

    status: int
    headers: dict[str, str]
    content: bytes
    statements: list[str]


@contextmanager
def statements() -> Iterator[list[str]]:
    """The queries of the block as they are made, without their values and the names of savepoints."""
    found: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        found.append(SAVEPOINT.sub("", sql))
        return execute(sql, *arguments)

    with connection.execute_wrapper(note):
        yield found


def ask(client: APIClient, method: str, path: str, body: Any = None) -> Answer:
    with statements() as found:
        response = getattr(client, method.lower())(f"/api/v1/{path}", body)
        content = async_to_sync(_read)(response) if response.streaming else response.content
    return Answer(response.status_code, dict(response.headers), content, found)


async def _read(response: Any) -> bytes:
    return b"".join([part async for part in response.streaming_content])


def filled(row: Row, tenant: Tenant, ids: dict[str, UUID]) -> tuple[str, dict[str, Any]]:
    ids = {"member_id": tenant.member_id(row.path), **ids}
    known = {**ids, "token": tenant.link.token}  # type: ignore[attr-defined]
    body = {key: str(value).format(**known) for key, value in (row.body or {}).items()}
    return row.path.format(**known), body


def everything_told_to(tenant: Tenant) -> dict[str, Answer]:
    client = api_client(tenant.owner)
    paths = [filled(row, tenant, tenant.ids())[0] for row in READS] + IN_LISTS
    return {path: ask(client, "GET", path) for path in paths}


@committed
def test_nothing_that_a_tenant_reads_changes_when_there_is_another_of_the_same_names() -> None:
    tenant = Tenant()
    before = everything_told_to(tenant)
    assert {answer.status for answer in before.values()} == {200}
    Tenant()
    Tenant()
    assert everything_told_to(tenant) == before


def test_names_and_addresses_of_another_tenant_are_free() -> None:
    Tenant()
    owner = make_user("Ada")
    organization = make_organization(owner=owner)
    client, path = api_client(owner), f"organizations/{organization.pk}/"
    assert ask(client, "POST", "organizations/", {"name": "Mathematicians"}).status == 201
    assert ask(client, "POST", path + "groups/", {"name": "Team"}).status == 201
    assert ask(client, "POST", "rooms/", {"organization": organization.pk, "name": "Plan"}).status == 201
    invited = ask(client, "POST", path + "members/", {"email": INVITED, "role": "guest"})
    nobody = ask(client, "POST", path + "members/", {"email": "nobody.knows@example.com", "role": "guest"})
    assert (invited.status, invited.statements) == (nobody.status, nobody.statements) == (201, nobody[3])
    assert len(json.loads(ask(client, "GET", path + "members/").content)["results"]) == 3


@pytest.mark.parametrize("row", BY_ID, ids=name_of)
def test_another_tenants_object_answers_like_one_that_there_is_not(row: Row) -> None:
    tenant, stranger = Tenant(), make_user()
    make_room(make_organization(owner=stranger), owner=stranger)
    client = api_client(stranger)
    real = ask(client, row.method, *filled(row, tenant, tenant.ids()))
    made_up = {name: uuid4() for name in [*tenant.ids(), "member_id"]}
    none = ask(client, row.method, *filled(row, tenant, made_up))
    assert real.status == 404
    assert real == none


@pytest.mark.parametrize("row", [row for row in BY_ID if row.path.count("_id}") > 1], ids=name_of)
def test_another_tenants_object_below_ones_own_answers_like_one_that_there_is_not(row: Row) -> None:
    tenant, own = Tenant(), Tenant()
    client = api_client(own.owner)
    outer = {name: own.ids()[name] for name in ("organization_id", "room_id")}
    real = ask(client, row.method, *filled(row, tenant, {**tenant.ids(), **outer}))
    made_up = {name: uuid4() for name in [*tenant.ids(), "member_id"]}
    none = ask(client, row.method, *filled(row, tenant, {**made_up, **outer}))
    assert real.status == 404
    assert real == none


@committed
def test_what_a_stranger_tries_leaves_no_trace_at_the_tenant() -> None:
    tenant, stranger = Tenant(), make_user()
    before = everything_told_to(tenant)
    for row in BY_ID:
        assert ask(api_client(stranger), row.method, *filled(row, tenant, tenant.ids())).status == 404
    assert everything_told_to(tenant) == before


@committed
def test_what_somebody_is_in_two_tenants_shows_in_neither_what_they_are_in_the_other() -> None:
    one, two = Tenant(), Tenant()
    add_to_organization(two.organization, one.member, "admin")
    add_to_room(two.room, one.member, "owner")
    told = b"".join(answer.content for answer in everything_told_to(one).values())
    for secret in [two.organization.pk, two.room.pk, two.trashed.pk, two.owner.pk, two.group.pk, two.link.pk]:
        assert str(secret).encode() not in told
    mine = api_client(one.member)
    listed = json.loads(ask(mine, "GET", f"rooms/?organization={one.organization.pk}").content)["results"]
    assert [room["id"] for room in listed] == [str(one.room.pk)]
    assert ask(mine, "GET", f"organizations/{one.organization.pk}/audit/").status == 403


def test_group_of_another_tenant_as_grantee_answers_like_one_that_there_is_not() -> None:
    tenant, own = Tenant(), Tenant()
    client, path = api_client(own.owner), f"rooms/{own.room.pk}/members/"
    real = ask(client, "POST", path, {"group": str(tenant.group.pk), "role": "viewer"})
    none = ask(client, "POST", path, {"group": str(uuid4()), "role": "viewer"})
    assert real.status == 400
    assert real == none
