"""Who may do what over a WebSocket: one row a relation, one column a room, and one law with HTTP.

The room is the organization's, apart from the last two columns. `closed`: shared with nobody but those whose
relation says so; `viewer` and `editor`: with that role for every member of the organization; `trash`:
closed, and in the trash; `other`: a room of another tenant, open to its members; `none`: no room at all.

A cell is what the socket gets: `read`, `write` (and read), or the code that it is refused with.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import GroupMember, Origin, User
from accounts.services.sessions import begin_session, end_session
from accounts.services.tickets import issue_ticket, use_ticket
from accounts.services.users import deactivate_user
from accounts.tokens import Credential
from backend import asgi
from collab.engine.logged import GONE
from collab.engine.protocol import create_permission_denied_message, create_sync_step_1_message
from collab.models import Room, ShareLinkGrant
from tests.collab.client import WebsocketCommunicator, YjsClient
from tests.collab.conftest import engine, no_open_connection  # noqa: F401
from tests.collab.hocuspocus.client import (
    AUTHENTICATED,
    READ_ONLY,
    REFUSED,
    SAVED,
    HocuspocusDocument,
    HocuspocusSocket,
    denied_message,
    token_message,
)
from tests.factories import (
    access_token,
    add_to_organization,
    add_to_room,
    api_client,
    make_group,
    make_link,
    make_organization,
    make_room,
    make_user,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("engine")]

COLUMNS = ["closed", "viewer", "editor", "trash", "other", "none"]


class Row(NamedTuple):
    who: str
    rights: str


# fmt: off
TABLE = [
    #                                     closed viewer editor trash other none
    Row("owner",                         "write  write  write  4403  4403  4403"),
    Row("admin",                         "write  write  write  4403  4403  4403"),
    Row("member",                        "4403   read   write  4403  4403  4403"),
    Row("guest",                         "4403   4403   4403   4403  4403  4403"),
    # Members of the room from outside of the organization.
    Row("room_owner",                    "write  write  write  4403  4403  4403"),
    Row("room_editor",                   "write  write  write  4403  4403  4403"),
    Row("room_viewer",                   "read   read   read   4403  4403  4403"),
    # Members of the organization too: the stronger role counts.
    Row("member_and_viewer",             "read   read   write  4403  4403  4403"),
    Row("guest_and_editor",              "write  write  write  4403  4403  4403"),
    Row("member_in_group_of_viewers",    "read   read   write  4403  4403  4403"),
    Row("member_in_group_of_editors",    "write  write  write  4403  4403  4403"),
    Row("guest_in_group_of_viewers",     "read   read   read   4403  4403  4403"),
    Row("guest_in_group_of_owners",      "write  write  write  4403  4403  4403"),
    Row("member_in_group_of_no_room",    "4403   read   write  4403  4403  4403"),
    Row("link_viewer",                   "read   read   read   4403  4403  4403"),
    Row("link_editor",                   "write  write  write  4403  4403  4403"),
    Row("link_of_another_room",          "4403   4403   4403   4403  4403  4403"),
    Row("expired_link",                  "4403   4403   4403   4403  4403  4403"),
    Row("viewer_with_editor_link",       "write  write  write  4403  4403  4403"),
    Row("viewer_with_expired_link",      "read   read   read   4403  4403  4403"),
    # An account with the address, whose invitation nobody has taken up.
    Row("invited_to_room",               "4403   4403   4403   4403  4403  4403"),
    Row("invited_to_organization",       "4403   4403   4403   4403  4403  4403"),
    Row("invited_into_group",            "4403   4403   4403   4403  4403  4403"),
    Row("stranger",                      "4403   4403   4403   4403  4403  4403"),
    # Everyone from here on is an editor of the room by name: what they come in with decides.
    Row("with_ticket",                   "write  write  write  4403  4403  4403"),
    Row("with_ticket_of_another_room",   "4403   4403   4403   4403  4403  4403"),
    Row("with_used_ticket",              "4401   4401   4401   4401  4401  4401"),
    Row("with_bearer_header",            "write  write  write  4403  4403  4403"),
    Row("with_subprotocol",              "write  write  write  4403  4403  4403"),
    Row("without_token",                 "4401   4401   4401   4401  4401  4401"),
    Row("with_forged_token",             "4401   4401   4401   4401  4401  4401"),
    Row("with_expired_token",            "4401   4401   4401   4401  4401  4401"),
    Row("with_refresh_token",            "4401   4401   4401   4401  4401  4401"),
    Row("with_token_of_ended_session",   "4401   4401   4401   4401  4401  4401"),
    Row("with_token_of_old_password",    "4401   4401   4401   4401  4401  4401"),
    Row("deactivated",                   "4401   4401   4401   4401  4401  4401"),
    Row("erased",                        "4401   4401   4401   4401  4401  4401"),
]
# fmt: on
#: Routes that lead to rooms, and one that takes everything else.
Y_WEBSOCKET, HOCUSPOCUS, ELSEWHERE = "ws/<str:room>", "collaboration", ""
#: Comes in with something that HTTP does not take, or that is used up by asking.
ONLY_OVER_WEBSOCKET = {
    "with_ticket",
    "with_ticket_of_another_room",
    "with_used_ticket",
    "with_bearer_header",
    "with_subprotocol",
}


class World:
    """The rooms of one column, everyone who relates to them, and what each comes in with."""

    def __init__(self, column: str) -> None:
        self.people = {row.who: make_user(row.who.replace("_", " ")) for row in TABLE}
        self.organization = make_organization()
        is_trashed = column == "trash"
        self.room = make_room(
            self.organization,
            organization_role=column if column in {"viewer", "editor"} else None,
            trashed_at=timezone.now() if is_trashed else None,
        )
        self.another_room = make_room(self.organization)
        for who, user in self.people.items():
            self._relate(who, user)
        tenant = make_organization(owner=self.people["stranger"], member=make_user())
        self.foreign_room = make_room(tenant, organization_role="editor")
        room_ids = {"other": self.foreign_room.pk, "none": uuid4()}
        self.room_id: UUID = room_ids.get(column, self.room.pk)
        if column == "other":
            tenant.members.filter(user=self.people["stranger"]).delete()
        self.tokens = {who: access_token(user) for who, user in self.people.items()}
        self._queries: dict[str, str] = {}
        self._spoil()

    def _relate(self, who: str, user: User) -> None:
        match who.split("_"):
            case [("owner" | "admin" | "member" | "guest") as role]:
                add_to_organization(self.organization, user, role)
            case ["room", role]:
                add_to_room(self.room, user, role)
            case [("member" | "guest") as role, "and", in_room]:
                add_to_organization(self.organization, user, role)
                add_to_room(self.room, user, in_room)
            case [("member" | "guest") as role, "in", "group", "of", "no", "room"]:
                add_to_organization(self.organization, user, role)
                add_to_room(self.another_room, make_group(self.organization, user), "owner")
            case [("member" | "guest") as role, "in", "group", "of", in_room]:
                add_to_organization(self.organization, user, role)
                add_to_room(self.room, make_group(self.organization, user), in_room.removesuffix("s"))
            case ["link", "of", *_]:
                self._let_in(user, self.another_room, "editor")
            case ["link", role]:
                self._let_in(user, self.room, role)
            case ["expired", "link"]:
                self._let_in(user, self.room, "editor", is_expired=True)
            case ["viewer", "with", kind, "link"]:
                add_to_room(self.room, user, "viewer")
                self._let_in(user, self.room, "editor", is_expired=kind == "expired")
            case ["invited", "to", "room"]:
                add_to_room(self.room, user.email, "editor")
            case ["invited", "to", "organization"]:
                add_to_organization(self.organization, user.email, "admin")
            case ["invited", "into", "group"]:
                member = add_to_organization(self.organization, user.email, "member")
                group = make_group(self.organization)
                GroupMember.objects.create(group=group, member=member)
                add_to_room(self.room, group, "editor")
            case ["stranger"]:
                pass
            case _:
                add_to_room(self.room, user, "editor")

    def _let_in(self, user: User, room: Room, role: str, *, is_expired: bool = False) -> None:
        fields = {"expires_at": timezone.now() - timedelta(seconds=1)} if is_expired else {}
        link = make_link(room, role=role, uses=1, **fields)
        ShareLinkGrant.objects.create(link=link, user=user)

    def _spoil(self) -> None:
        """What those come in with whose token is not a fresh one."""
        people, tokens = self.people, self.tokens
        tickets = {
            "with_ticket": self._ticket("with_ticket", self.room_id),
            "with_ticket_of_another_room": self._ticket("with_ticket_of_another_room", self.another_room.pk),
            "with_used_ticket": self._ticket("with_used_ticket", self.room_id),
        }
        self._queries = {who: f"ticket={ticket}" for who, ticket in tickets.items()}
        use_ticket(tickets["with_used_ticket"].encode(), origin=Origin())
        tokens["without_token"] = ""
        tokens["with_forged_token"] = tokens["owner"][:-6] + "forged"
        expired = AccessToken.for_user(people["with_expired_token"])
        expired.payload["exp"] = int(time.time()) - 1
        tokens["with_expired_token"] = str(expired)
        tokens["with_refresh_token"] = str(begin_session(user=people["with_refresh_token"]))
        ended = begin_session(user=people["with_token_of_ended_session"])
        tokens["with_token_of_ended_session"] = str(ended.access_token)
        end_session(refresh=str(ended), origin=Origin())
        people["with_token_of_old_password"].set_password("another")
        people["with_token_of_old_password"].save()
        deactivate_user(user=people["deactivated"], actor=None)
        people["erased"].delete()

    def _ticket(self, who: str, room_id: UUID) -> str:
        user = self.people[who]
        credential = Credential(user.pk, time.time() + 60)
        return issue_ticket(user=user, credential=credential, room_id=room_id)

    def socket(self, who: str, path: str = "ws") -> WebsocketCommunicator:
        """A y-websocket of theirs that nobody has answered yet."""
        token = self.tokens[who]
        options: dict[str, Any] = {}
        query = self._queries.get(who, f"token={token}")
        if who == "with_bearer_header":
            query, options["headers"] = "", [(b"authorization", f"Bearer {token}".encode())]
        elif who == "with_subprotocol":
            query, options["subprotocols"] = "", ["yjs", token]
        elif not token:
            query = ""
        return WebsocketCommunicator(asgi.application, f"{path}/{self.room_id}?{query}&echo=1", **options)

    def hocuspocus_document(self, who: str) -> tuple[HocuspocusDocument, str]:
        """Their document on a socket that nobody has answered yet, and the token that they send for it."""
        socket = self.socket(who)
        socket.scope["path"] = f"/{HOCUSPOCUS}"
        token = self.tokens[who]
        if who in ONLY_OVER_WEBSOCKET:
            token = ""
        else:
            socket.scope["query_string"] = b""
        return HocuspocusDocument(HocuspocusSocket(socket), self.room_id), token


async def everything(socket: WebsocketCommunicator) -> list[dict[str, Any]]:
    """All that a socket is sent until it is closed."""
    await socket.send_input({"type": "websocket.connect"})
    sent = []
    while not sent or sent[-1]["type"] != "websocket.close":
        sent.append(await socket.receive_output())
    if len(sent) > 1:
        await socket.disconnect()
    return sent


async def right_over_y_websocket(world: World, who: str) -> str:
    """What the table says of somebody, found out by use: they read what is there, and write their name."""
    socket = world.socket(who)
    is_open, _ = await socket.connect()
    assert is_open
    first = await socket.receive_output()
    if first["type"] == "websocket.send" and first["bytes"][:2] == b"\x02\x00":
        closed = await socket.receive_output()
        assert closed["type"] == "websocket.close"
        assert first["bytes"] == create_permission_denied_message(closed["reason"])
        await socket.disconnect()
        assert socket.output_queue.empty()
        return str(closed["code"])
    client = YjsClient(socket)
    await client.synchronize()
    update = await client.write(f"<{who}>")
    while (frame := await socket.receive_bytes())[:2] != b"\x02\x00":
        if frame[:2] == b"\x00\x02" and frame.endswith(update):
            break
    await socket.disconnect()
    return "read" if frame[0] == 2 else "write"


async def right_over_hocuspocus(world: World, who: str) -> str:
    """The same of a document; the reason of a refusal stands for the code."""
    document, token = world.hocuspocus_document(who)
    is_open, _ = await document.socket.communicator.connect()
    assert is_open
    await document.send(token_message(token))
    answer = await document.receive()
    if not answer.startswith(b"\x02\x02"):
        assert answer.startswith(b"\x02\x01")
        assert await document.socket.is_quiet()
        await document.socket.disconnect()
        return "4403" if answer == denied_message(GONE) else "4401"
    await document.send(create_sync_step_1_message(document.doc.get_state()))
    await document.wait_for(SAVED)
    await document.write(f"<{who}>")
    while (status := await document.receive()) not in {SAVED, REFUSED}:
        pass
    await document.socket.disconnect()
    assert answer == (AUTHENTICATED if status == SAVED else READ_ONLY)
    return "write" if status == SAVED else "read"


#: How each route that leads to rooms is tried; a new one goes through the whole table.
ROUTES = {Y_WEBSOCKET: right_over_y_websocket, HOCUSPOCUS: right_over_hocuspocus}


async def text_for_newcomer(world: World) -> str:
    newcomer = YjsClient(world.socket("room_owner"))
    await newcomer.communicator.connect()
    await newcomer.synchronize()
    await newcomer.communicator.disconnect()
    return str(newcomer.text)


def right_over_http(world: World, who: str) -> str:
    """The same, as `abilities` say it to the bearer of the same token."""
    client = api_client()
    if token := world.tokens[who]:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    response = client.get(f"/api/v1/rooms/{world.room_id}/")
    if response.status_code != 200:
        return {401: "4401", 404: "4403"}[response.status_code]
    abilities = response.json()["abilities"]
    assert abilities["read"]
    return "write" if abilities["write"] else "read"


def column_of(column: str) -> dict[str, str]:
    return {row.who: row.rights.split()[COLUMNS.index(column)] for row in TABLE}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("column", COLUMNS)
async def test_socket_of_someone_gets_what_the_table_says_and_http_agrees(column: str, route: str) -> None:
    world = await sync_to_async(World)(column)
    expected = column_of(column)
    assert {row.who: await ROUTES[route](world, row.who) for row in TABLE} == expected
    if column in {"closed", "viewer", "editor"}:
        writers = [who for who, right in expected.items() if right == "write"]
        assert await text_for_newcomer(world) == "".join(f"<{who}>" for who in writers)
    over_http = {who: right for who, right in expected.items() if who not in ONLY_OVER_WEBSOCKET}
    found = {who: await sync_to_async(right_over_http)(world, who) for who in over_http}
    assert found == over_http, "abilities"


@pytest.mark.parametrize("who", ["room_owner", "without_token"])
async def test_handshake_where_no_route_is_is_refused_before_it_is_accepted(who: str) -> None:
    world = await sync_to_async(World)("closed")
    assert await world.socket(who, "elsewhere").connect() == (False, 1000)


def test_every_route_goes_through_the_table() -> None:
    assert {str(route.pattern) for route in asgi.websocket.routes} == {*ROUTES, ELSEWHERE}


async def refusal_over_y_websocket(world: World) -> list[Any]:
    return await everything(world.socket("stranger"))


async def refusal_over_hocuspocus(world: World) -> list[Any]:
    document, token = world.hocuspocus_document("stranger")
    await document.socket.communicator.connect()
    await document.send(token_message(token))
    answers = [await document.receive(), await document.socket.is_quiet()]
    await document.socket.disconnect()
    return answers


REFUSALS = {
    refusal_over_y_websocket: [
        {"type": "websocket.accept", "subprotocol": None},
        {"type": "websocket.send", "bytes": create_permission_denied_message(GONE)},
        {"type": "websocket.close", "code": 4403, "reason": GONE},
    ],
    refusal_over_hocuspocus: [denied_message(GONE), True],
}


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_refusals_of_rooms_one_may_not_know_are_the_same_bytes_after_the_same_queries(
    refusal: Callable[[World], Awaitable[list[Any]]],
) -> None:
    statements = {}
    for column in ("closed", "trash", "other", "none"):
        world = await sync_to_async(World)(column)
        with recorded_queries() as statements[column]:
            assert await refusal(world) == REFUSALS[refusal], column
    assert len(statements["none"]) == 2, "one for the token, one for access"
    assert all(found == statements["none"] for found in statements.values()), statements


@contextmanager
def recorded_queries() -> Iterator[list[str]]:
    """The statements, without their values, of all threads."""
    queries: list[str] = []
    original = CursorWrapper.execute

    def execute(self: CursorWrapper, sql: Any, params: Any = None) -> Any:
        queries.append(sql)
        return original(self, sql, params)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", execute)
        yield queries
