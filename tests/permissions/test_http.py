"""Who may do what over HTTP: one row an action, one column a relation to the organization and the room.

The room belongs to the organization and is closed to its members unless it was shared with them. `owner`,
`admin`, `member` and `guest` are members of the organization with that role, without a membership in the
room. `room_owner`, `editor` and `viewer` are members of the room from outside of the organization.
`stranger` is of another tenant, where they own everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.urls import URLPattern

from accounts.models import GroupMember, OrganizationMember, User
from api.urls import urlpatterns
from collab.models import AccessRequest, RoomMember
from tests.factories import (
    add_to_organization,
    add_to_room,
    api_client,
    make_connection,
    make_group,
    make_link,
    make_organization,
    make_room,
    make_user,
)

pytestmark = pytest.mark.django_db

COLUMNS = ["owner", "admin", "member", "guest", "room_owner", "editor", "viewer", "stranger", "anonymous"]


class Row(NamedTuple):
    method: str
    path: str
    statuses: str
    body: dict[str, Any] | None = None
    in_trash: bool = False


ORGANIZATION = "organizations/{organization_id}/"
ORGANIZATION_MEMBERS = ORGANIZATION + "members/"
ORGANIZATION_MEMBER = ORGANIZATION_MEMBERS + "{member_id}/"
GROUPS = ORGANIZATION + "groups/"
GROUP = GROUPS + "{group_id}/"
GROUP_MEMBERS = GROUP + "members/"
GROUP_MEMBER = GROUP_MEMBERS + "{member_id}/"
ROOM = "rooms/{room_id}/"
ROOM_MEMBERS = ROOM + "members/"
ROOM_MEMBER = ROOM_MEMBERS + "{member_id}/"
SHARE_LINKS = ROOM + "share-links/"
SHARE_LINK = SHARE_LINKS + "{link_id}/"
ACCESS_REQUESTS = ROOM + "access-requests/"
ACCESS_REQUEST = ACCESS_REQUESTS + "{request_id}/"
CONNECTION = ROOM + "connections/{connection_id}/"

# fmt: off
TABLE = [
    #                                              owner adm mem gue r_o edi vie str ano
    Row("POST", "auth/register/",                  "400 400 400 400 400 400 400 400 400", {}),
    Row("POST", "token/",                          "400 400 400 400 400 400 400 400 400", {}),
    Row("POST", "token/refresh/",                  "400 400 400 400 400 400 400 400 400", {}),
    Row("POST", "token/verify/",                   "400 400 400 400 400 400 400 400 400", {}),
    Row("POST", "token/blacklist/",                "400 400 400 400 400 400 400 400 400", {}),
    Row("GET", "users/me/",                        "200 200 200 200 200 200 200 200 401"),
    Row("PATCH", "users/me/",                      "200 200 200 200 200 200 200 200 401", {"name": "New"}),
    Row("DELETE", "users/me/",                     "400 204 204 204 204 204 204 204 401"),
    Row("POST", "invitations/accept/",             "400 400 400 400 400 400 400 400 401", {"token": "guess"}),
    Row("POST", "users/me/password/",              "400 400 400 400 400 400 400 400 401", {}),
    Row("GET", "organizations/",                   "200 200 200 200 200 200 200 200 401"),
    Row("POST", "organizations/",                  "201 201 201 201 201 201 201 201 401", {"name": "New"}),

    Row("GET", ORGANIZATION,                       "200 200 200 200 404 404 404 404 401"),
    Row("PATCH", ORGANIZATION,                     "200 200 403 403 404 404 404 404 401", {"name": "New"}),
    Row("DELETE", ORGANIZATION,                    "204 403 403 403 404 404 404 404 401"),
    Row("GET", ORGANIZATION_MEMBERS,               "200 200 200 200 404 404 404 404 401"),
    Row("POST", ORGANIZATION_MEMBERS,              "201 201 403 403 404 404 404 404 401",
        {"email": "newcomer@example.com", "role": "admin"}),
    Row("POST", ORGANIZATION_MEMBERS,              "201 403 403 403 404 404 404 404 401",
        {"email": "newcomer@example.com", "role": "owner"}),
    Row("GET", ORGANIZATION_MEMBER,                "200 200 200 404 404 404 404 404 401"),
    Row("PATCH", ORGANIZATION_MEMBER,              "200 200 403 403 404 404 404 404 401", {"role": "guest"}),
    Row("PATCH", ORGANIZATION_MEMBER,              "200 403 403 403 404 404 404 404 401", {"role": "owner"}),
    Row("DELETE", ORGANIZATION_MEMBER,             "204 204 403 403 404 404 404 404 401"),

    Row("GET", GROUPS,                             "200 200 200 403 404 404 404 404 401"),
    Row("POST", GROUPS,                            "201 201 403 403 404 404 404 404 401", {"name": "New"}),
    Row("GET", GROUP,                              "200 200 200 403 404 404 404 404 401"),
    Row("PATCH", GROUP,                            "200 200 403 403 404 404 404 404 401", {"name": "New"}),
    Row("DELETE", GROUP,                           "204 204 403 403 404 404 404 404 401"),
    Row("GET", GROUP_MEMBERS,                      "200 200 200 403 404 404 404 404 401"),
    Row("POST", GROUP_MEMBERS,                     "201 201 403 403 404 404 404 404 401",
        {"user": "{colleague_id}"}),
    Row("POST", GROUP_MEMBERS,                     "400 400 403 403 404 404 404 404 401",
        {"email": "newcomer@example.com"}),
    Row("GET", GROUP_MEMBER,                       "200 200 200 403 404 404 404 404 401"),
    Row("DELETE", GROUP_MEMBER,                    "204 204 403 403 404 404 404 404 401"),

    Row("GET", ORGANIZATION + "audit/",            "200 200 403 403 404 404 404 404 401"),
    Row("GET", ORGANIZATION + "audit/export/",     "200 200 403 403 404 404 404 404 401"),

    Row("GET", "rooms/",                           "200 200 200 200 200 200 200 200 401"),
    Row("POST", "rooms/",                          "201 201 201 403 404 404 404 404 401",
        {"organization": "{organization_id}", "name": "New"}),
    Row("GET", ROOM,                               "200 200 404 404 200 200 200 404 401"),
    Row("PATCH", ROOM,                             "200 200 404 404 200 403 403 404 401", {"name": "New"}),
    Row("PATCH", ROOM,                             "200 200 404 404 200 403 403 404 401",
        {"organization_role": "viewer"}),
    Row("DELETE", ROOM,                            "204 204 404 404 204 403 403 404 401"),
    Row("POST", ROOM + "restore/",                 "200 200 404 404 200 403 403 404 401"),
    Row("GET", ROOM_MEMBERS,                       "200 200 404 404 200 200 200 404 401"),
    Row("POST", ROOM_MEMBERS,                      "201 201 404 404 201 403 403 404 401",
        {"email": "newcomer@example.com", "role": "viewer"}),
    Row("POST", ROOM_MEMBERS,                      "201 201 404 404 201 403 403 404 401",
        {"user": "{user_id}", "role": "owner"}),
    Row("POST", ROOM_MEMBERS,                      "201 201 404 404 201 403 403 404 401",
        {"group": "{group_id}", "role": "viewer"}),
    Row("POST", ROOM_MEMBERS,                      "201 201 404 404 201 403 403 404 401",
        {"email": "nobody.yet@example.com", "role": "editor"}),
    Row("GET", ROOM_MEMBER,                        "200 200 404 404 200 200 200 404 401"),
    Row("PATCH", ROOM_MEMBER,                      "200 200 404 404 200 403 403 404 401", {"role": "editor"}),
    Row("DELETE", ROOM_MEMBER,                     "204 204 404 404 204 403 403 404 401"),

    Row("POST", ROOM + "ticket/",                  "201 201 404 404 201 201 201 404 401"),
    Row("GET", ROOM + "connections/",              "200 200 404 404 200 200 200 404 401"),
    Row("DELETE", CONNECTION,                      "204 204 404 404 204 403 403 404 401"),
    Row("GET", ROOM + "audit/",                    "200 200 404 404 200 403 403 404 401"),
    Row("GET", ROOM + "audit/export/",             "200 200 404 404 200 403 403 404 401"),

    Row("POST", ROOM + "transfer/",                "200 200 404 404 200 403 403 404 401",
        {"user": "{reader_id}"}),
    Row("POST", ROOM + "leave/",                   "400 400 404 404 400 204 204 404 401"),
    # The organization's members may ask, guests too, and those who can read the room already.
    Row("GET", ACCESS_REQUESTS,                    "200 200 200 200 200 200 200 404 401"),
    Row("POST", ACCESS_REQUESTS,                   "400 400 201 201 400 400 201 404 401", {"role": "editor"}),
    Row("GET", ACCESS_REQUEST,                     "200 200 404 404 200 404 404 404 401"),
    Row("POST", ACCESS_REQUEST + "accept/",        "200 200 404 404 200 403 403 404 401"),
    Row("POST", ACCESS_REQUEST + "decline/",       "200 200 404 404 200 403 403 404 401"),

    Row("GET", SHARE_LINKS,                        "200 200 404 404 200 403 403 404 401"),
    Row("POST", SHARE_LINKS,                       "201 201 404 404 201 403 403 404 401", {"role": "viewer"}),
    Row("POST", SHARE_LINKS,                       "201 201 404 404 201 403 403 404 401",
        {"role": "viewer", "password": "secret"}),
    Row("GET", SHARE_LINK,                         "200 200 404 404 200 403 403 404 401"),
    Row("PATCH", SHARE_LINK,                       "200 200 404 404 200 403 403 404 401", {"role": "editor"}),
    Row("PATCH", SHARE_LINK,                       "200 200 404 404 200 403 403 404 401",
        {"password": "secret"}),
    Row("DELETE", SHARE_LINK,                      "204 204 404 404 204 403 403 404 401"),
    # Whoever knows the secret gets in, wherever they come from: that is what a link is for.
    Row("POST", "share-links/redeem/",             "200 200 200 200 200 200 200 200 401",
        {"token": "{token}"}),
    Row("POST", "share-links/redeem/",             "404 404 404 404 404 404 404 404 401", {"token": "guess"}),

    Row("GET", ROOM,                               "404 404 404 404 404 404 404 404 401", in_trash=True),
    Row("PATCH", ROOM,                             "404 404 404 404 404 404 404 404 401", {"name": "New"},
        in_trash=True),
    Row("DELETE", ROOM,                            "404 404 404 404 404 404 404 404 401", in_trash=True),
    Row("POST", ROOM + "restore/",                 "200 200 404 404 200 403 403 404 401", in_trash=True),
    Row("GET", ROOM_MEMBERS,                       "404 404 404 404 404 404 404 404 401", in_trash=True),
    Row("POST", ROOM + "transfer/",                "404 404 404 404 404 404 404 404 401",
        {"user": "{reader_id}"}, in_trash=True),
    Row("POST", ROOM + "leave/",                   "404 404 404 404 404 404 404 404 401", in_trash=True),
    Row("GET", ACCESS_REQUESTS,                    "404 404 404 404 404 404 404 404 401", in_trash=True),
    Row("POST", ACCESS_REQUESTS,                   "404 404 404 404 404 404 404 404 401", {"role": "editor"},
        in_trash=True),
    Row("POST", ACCESS_REQUEST + "accept/",        "404 404 404 404 404 404 404 404 401", in_trash=True),
    Row("GET", ROOM + "audit/",                    "404 404 404 404 404 404 404 404 401", in_trash=True),
    Row("GET", ROOM + "audit/export/",             "404 404 404 404 404 404 404 404 401", in_trash=True),
    Row("GET", SHARE_LINKS,                        "404 404 404 404 404 404 404 404 401", in_trash=True),
    Row("POST", SHARE_LINKS,                       "404 404 404 404 404 404 404 404 401", {"role": "viewer"},
        in_trash=True),
    Row("PATCH", SHARE_LINK,                       "404 404 404 404 404 404 404 404 401", {"role": "editor"},
        in_trash=True),
    Row("DELETE", SHARE_LINK,                      "404 404 404 404 404 404 404 404 401", in_trash=True),
    Row("POST", "share-links/redeem/",             "404 404 404 404 404 404 404 404 401",
        {"token": "{token}"}, in_trash=True),
]
# fmt: on


class World:
    """The organization, the room, and everyone who relates to them."""

    def __init__(self, *, in_trash: bool) -> None:
        self.people: dict[str, User | None] = {name: make_user(name) for name in COLUMNS[:-1]}
        self.people["anonymous"] = None
        self.organization = make_organization(**{role: self.people[role] for role in COLUMNS[:4]})
        self.room = make_room(
            self.organization,
            owner=self.people["room_owner"],
            editor=self.people["editor"],
            viewer=self.people["viewer"],
            trashed_at="2026-01-01T00:00:00Z" if in_trash else None,
        )
        self.newcomer = make_user(email="newcomer@example.com")
        self.organization_member = add_to_organization(self.organization, make_user(), "member")
        self.room_member = add_to_room(self.room, make_user(), "viewer")
        self.group = make_group(self.organization, self.organization_member.user)
        self.request = AccessRequest.objects.create(room=self.room, user=self.room_member.user, role="editor")
        self.link = make_link(self.room)
        self.connection = make_connection(self.room, self.room_member.user)
        make_room(make_organization(owner=self.people["stranger"]), owner=self.people["stranger"])

    def filled(self, text: str, path: str) -> str:
        member: OrganizationMember | RoomMember | GroupMember
        member = self.room_member if path.startswith("rooms/") else self.organization_member
        if path.startswith(GROUP_MEMBERS):
            member = self.group.members.get()
        return text.format(
            organization_id=self.organization.pk,
            room_id=self.room.pk,
            member_id=member.pk,
            group_id=self.group.pk,
            colleague_id=self.people["member"].pk,
            reader_id=self.room_member.user_id,
            request_id=self.request.pk,
            link_id=self.link.pk,
            token=self.link.token,
            connection_id=self.connection.pk,
            user_id=self.newcomer.pk,
        )


def cells() -> Iterator[Any]:
    for row in TABLE:
        for name, status in zip(COLUMNS, row.statuses.split(), strict=True):
            trash = " (in the trash)" if row.in_trash else ""
            yield pytest.param(
                row, name, int(status), id=f"{row.method} {row.path}{trash} {row.body or ''} by {name}"
            )


@pytest.mark.parametrize(("row", "name", "status"), list(cells()))
def test_action_by_someone_has_the_status_of_the_table(row: Row, name: str, status: int) -> None:
    world = World(in_trash=row.in_trash)
    send = getattr(api_client(world.people[name]), row.method.lower())
    body = {key: world.filled(value, row.path) for key, value in (row.body or {}).items()}
    response = send("/api/v1/" + world.filled(row.path, row.path), body or None)
    assert response.status_code == status, response.content
    if status >= 400:
        assert {"code", "detail"} <= set(response.json())


def routes() -> set[tuple[str, str]]:
    """Every method and path under `/api/v1/`."""
    found = set()
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        path = str(pattern.pattern).replace("<uuid:", "{").replace(">", "}")
        methods = getattr(pattern.callback, "actions", None) or {"post": "post"}
        found |= {(method.upper(), path) for method in methods if method != "head"}
    return found


def test_every_route_has_a_row() -> None:
    assert routes() == {(row.method, row.path) for row in TABLE}


@pytest.mark.parametrize("row", [row for row in TABLE if "_id}" in row.path], ids=str)
def test_every_object_is_404_to_another_tenant(row: Row) -> None:
    assert dict(zip(COLUMNS, row.statuses.split(), strict=True))["stranger"] == "404"


@pytest.mark.parametrize(
    ("path", "name", "count"),
    [
        *(("rooms/", name, 0) for name in ("member", "guest")),
        *(("rooms/", name, 1) for name in ("owner", "admin", "room_owner", "editor", "viewer")),
        *(("organizations/", name, 0) for name in ("room_owner", "editor", "viewer")),
        *(("organizations/", name, 1) for name in ("owner", "admin", "member", "guest")),
        *((GROUPS, name, 1) for name in ("owner", "admin", "member")),
        *((ACCESS_REQUESTS, name, 1) for name in ("owner", "admin", "room_owner")),
        *((ACCESS_REQUESTS, name, 0) for name in ("member", "guest", "editor", "viewer")),
        (ORGANIZATION_MEMBERS, "guest", 1),
        *((ORGANIZATION_MEMBERS, name, 5) for name in ("owner", "admin", "member")),
    ],
)
def test_list_for_someone_has_what_they_may_see(path: str, name: str, count: int) -> None:
    world = World(in_trash=False)
    client = api_client(world.people[name])
    assert len(client.get("/api/v1/" + world.filled(path, path)).json()["results"]) == count


@pytest.mark.parametrize("path", ["rooms/", "organizations/"])
def test_list_for_another_tenant_has_only_their_own(path: str) -> None:
    world = World(in_trash=False)
    client = api_client(world.people["stranger"])
    ids = {row["id"] for row in client.get("/api/v1/" + path).json()["results"]}
    assert len(ids) == 1
    assert ids.isdisjoint({str(world.room.pk), str(world.organization.pk)})
