"""The JWT middleware: what it finds in a handshake, and what it refuses without ever raising."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError, connection, connections
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.middleware import JWTAuthMiddleware
from accounts.models import Origin, Ticket, User
from accounts.services.sessions import begin_session, end_session
from accounts.services.tickets import INVALID, issue_ticket, use_ticket
from accounts.tokens import MAX_TOKEN_BYTES, SESSION_ENDED, Credential, authenticate_access_token
from tests.factories import access_token, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user(transactional_db: None) -> User:
    return make_user()


@pytest.fixture(autouse=True)
async def _closed_connections() -> AsyncIterator[None]:
    """The thread of synchronous code keeps its connection, and a test database in use can't be dropped."""
    yield
    await sync_to_async(connections.close_all)()


async def scope_after(**scope: Any) -> dict[str, Any]:
    """What the application behind the middleware gets to see."""
    seen: dict[str, Any] = {}

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.update(scope)

    given = {"type": "websocket", "headers": [], "subprotocols": [], "query_string": b"", **scope}
    before = dict(given)
    await JWTAuthMiddleware(application)(given, None, None)
    assert given == before
    return seen


def bearer(token: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"example.com"), (b"authorization", f"Bearer {token}".encode())]


def assert_refused(scope: dict[str, Any], reason: str) -> None:
    assert scope["user"] == AnonymousUser()
    assert scope["credential"] is None
    assert scope["auth_error"] == reason


async def test_scope_without_a_token_is_anonymous_without_an_error() -> None:
    scope = await scope_after()
    assert (scope["user"], scope["credential"], scope["auth_error"]) == (AnonymousUser(), None, None)


async def test_queries_of_a_handshake_are_not_remembered_in_development(user: User, settings: Any) -> None:
    settings.DEBUG = True
    await scope_after(headers=bearer(access_token(user)))
    assert await sync_to_async(lambda: connection.queries)() == []


async def test_scope_of_another_kind_is_anonymous() -> None:
    seen: dict[str, Any] = {}

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.update(scope)

    await JWTAuthMiddleware(application)({"type": "lifespan"}, None, None)
    assert seen["user"] == AnonymousUser()


@pytest.mark.parametrize("header", [b"Basic YTpi", b"Token abc", b"", b"   ", b"\xff\xfe", b"Bearerabc"])
async def test_header_of_another_scheme_counts_as_not_found(user: User, header: bytes) -> None:
    query = f"token={access_token(user)}".encode()
    scope = await scope_after(headers=[(b"authorization", header)], query_string=query)
    assert scope["user"] == user


@pytest.mark.parametrize("header", [b"Bearer", b"Bearer a b"])
async def test_header_that_is_not_one_token_is_refused(user: User, header: bytes) -> None:
    query = f"token={access_token(user)}".encode()
    scope = await scope_after(headers=[(b"authorization", header)], query_string=query)
    assert_refused(scope, "Authorization header is malformed.")


@pytest.mark.parametrize(
    "subprotocols", [["yjs"], ["other", "token"], [], ["yjs", ""]], ids=["alone", "other", "none", "empty"]
)
async def test_subprotocols_without_a_token_count_as_not_found(user: User, subprotocols: list[str]) -> None:
    query = f"token={access_token(user)}".encode()
    scope = await scope_after(subprotocols=subprotocols, query_string=query)
    assert scope["user"] == user


@pytest.mark.parametrize(
    "query", [b"token=", b"tokens=abc", b"tickets=abc", b"ticket=", b"=&&%%%&;", b"\xff\xfe=\xff"]
)
async def test_query_without_a_token_counts_as_not_found(query: bytes) -> None:
    scope = await scope_after(query_string=query)
    assert (scope["user"], scope["auth_error"]) == (AnonymousUser(), None)


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


GARBAGE = {
    "word": "garbage",
    "dots": "...",
    "non-ascii": "jalapeño.ü.☃",
    "surrogate": "\udcff.\ud800.a",
    "nul": "\x00.\x00.\x00",
    "nested": _segment(b"[" * 5000) + ".e30.a",
    "no-algorithm": _segment(b'{"alg":"none","typ":"JWT"}') + "." + _segment(b'{"user_id":"x"}') + ".",
    "list": _segment(b'{"alg":["HS256"]}') + ".e30.aaaa",
}


@pytest.mark.parametrize("token", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_in_subprotocols_is_refused(token: str) -> None:
    assert_refused(await scope_after(subprotocols=["yjs", token]), "Token is invalid.")


@pytest.mark.parametrize("token", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_in_the_query_is_refused(token: str) -> None:
    query = b"token=" + quote(token, errors="surrogatepass").encode()
    assert_refused(await scope_after(query_string=query), "Token is invalid.")


@pytest.mark.parametrize("query", [b"token=%", b"token=%zz%f", b"token=\xff\xfe", b"token=%ff%fe.a.b"])
async def test_garbage_percent_encoding_is_refused(query: bytes) -> None:
    assert_refused(await scope_after(query_string=query), "Token is invalid.")


@pytest.mark.parametrize("header", [b"Bearer \xff\xfe", b"Bearer garbage", b"Bearer \x00.\x00.\x00"])
async def test_garbage_in_the_header_is_refused(header: bytes) -> None:
    assert_refused(await scope_after(headers=[(b"authorization", header)]), "Token is invalid.")


async def test_token_that_is_too_long_is_refused_unread() -> None:
    scope = await scope_after(subprotocols=["yjs", "a" * (MAX_TOKEN_BYTES + 1)])
    assert_refused(scope, "Token is too long.")


async def test_refresh_token_is_refused(user: User) -> None:
    token = str(await sync_to_async(RefreshToken.for_user)(user))
    assert_refused(await scope_after(headers=bearer(token)), "Token has wrong type.")


async def test_expired_token_is_refused(user: User) -> None:
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=-timedelta(seconds=1))
    assert_refused(await scope_after(headers=bearer(str(token))), "Token is expired.")


async def test_token_signed_by_another_key_is_refused(user: User) -> None:
    head, body, signature = access_token(user).split(".")
    forged = f"{head}.{body}.{signature[::-1]}"
    assert_refused(await scope_after(headers=bearer(forged)), "Token is invalid.")


async def test_token_of_a_deactivated_user_is_refused(user: User) -> None:
    token = access_token(user)
    await User.objects.filter(pk=user.pk).aupdate(is_active=False)
    assert_refused(await scope_after(headers=bearer(token)), "User is inactive.")


async def test_token_of_a_deleted_user_is_refused(user: User) -> None:
    token = access_token(user)
    await user.adelete()
    assert_refused(await scope_after(headers=bearer(token)), "User not found.")


async def test_token_from_before_a_change_of_password_is_refused(user: User) -> None:
    token = access_token(user)
    user.set_password("another")
    await user.asave()
    assert_refused(await scope_after(headers=bearer(token)), "The user's password has been changed.")


@pytest.mark.parametrize("claims", [{}, {"user_id": "nobody"}, {"user_id": 5}, {"user_id": None}])
async def test_signed_token_without_a_usable_user_id_is_refused(claims: dict[str, Any]) -> None:
    token = AccessToken()
    token.payload.update(claims)
    scope = await scope_after(headers=bearer(str(token)))
    assert scope["user"] == AnonymousUser()
    assert scope["auth_error"]


async def test_token_in_the_header_fills_the_scope(user: User) -> None:
    token = AccessToken.for_user(user)
    scope = await scope_after(headers=bearer(str(token)))
    assert (scope["user"], scope["auth_error"]) == (user, None)
    fingerprint = token["hash_password"]
    assert scope["credential"] == Credential(user.pk, float(token["exp"]), password_fingerprint=fingerprint)


async def test_token_in_the_subprotocols_fills_the_scope(user: User) -> None:
    scope = await scope_after(subprotocols=["yjs", access_token(user)])
    assert scope["user"] == user


async def test_token_in_the_query_fills_the_scope(user: User) -> None:
    scope = await scope_after(query_string=f"a=b&token={access_token(user)}&token=x".encode())
    assert scope["user"] == user


async def test_header_goes_before_subprotocols_and_query(user: User) -> None:
    scope = await scope_after(
        headers=bearer(access_token(user)), subprotocols=["yjs", "x"], query_string=b"token=x"
    )
    assert scope["user"] == user


async def test_subprotocols_go_before_the_query(user: User) -> None:
    scope = await scope_after(subprotocols=["yjs", access_token(user)], query_string=b"token=x")
    assert scope["user"] == user


@sync_to_async
def ticket_for(user: User, room_id: UUID | None = None, **fields: Any) -> str:
    credential = Credential(user.pk, time.time() + 900, **fields)
    return issue_ticket(user=user, credential=credential, room_id=room_id or uuid4())


async def test_ticket_in_the_query_fills_the_scope(user: User) -> None:
    room_id = uuid4()
    ticket = await ticket_for(user, room_id)
    scope = await scope_after(query_string=f"ticket={ticket}&token=x".encode())
    assert (scope["user"], scope["auth_error"]) == (user, None)
    assert (scope["credential"].room_id, scope["credential"].user_id) == (room_id, user.pk)
    assert scope["credential"].ticket_id == (await Ticket.objects.aget()).pk


@pytest.mark.parametrize("ticket", ["x", "x" * 500, "%00", "%ff%fe"])
async def test_unknown_ticket_is_refused_and_not_made_up_for_by_a_token(user: User, ticket: str) -> None:
    query = f"token={access_token(user)}&ticket={ticket}".encode()
    assert_refused(await scope_after(query_string=query), INVALID)


async def test_access_token_as_ticket_is_refused(user: User) -> None:
    query = f"ticket={access_token(user)}".encode()
    assert_refused(await scope_after(query_string=query), INVALID)


async def test_header_and_subprotocols_go_before_a_ticket_and_leave_it_unused(user: User) -> None:
    query = f"ticket={await ticket_for(user)}".encode()
    by_header = await scope_after(headers=bearer(access_token(user)), query_string=query)
    by_protocol = await scope_after(subprotocols=["yjs", access_token(user)], query_string=query)
    assert (by_header["credential"].ticket_id, by_protocol["credential"].ticket_id) == (None, None)
    assert (await scope_after(query_string=query))["user"] == user


async def test_token_of_an_ended_session_is_refused(user: User) -> None:
    refresh = await sync_to_async(begin_session)(user=user)
    await sync_to_async(end_session)(refresh=str(refresh), origin=Origin())
    assert_refused(await scope_after(headers=bearer(str(refresh.access_token))), SESSION_ENDED)


async def test_token_of_another_users_session_is_refused(user: User) -> None:
    token = AccessToken.for_user(user)
    token["sid"] = (await sync_to_async(begin_session)(user=await sync_to_async(make_user)()))["sid"]
    assert_refused(await scope_after(headers=bearer(str(token))), SESSION_ENDED)


@pytest.mark.parametrize("session", ["", "x", 5, ["a"], {}])
async def test_token_with_a_malformed_session_is_refused(user: User, session: object) -> None:
    token = AccessToken.for_user(user)
    token["sid"] = session
    assert_refused(await scope_after(headers=bearer(str(token))), "Token is invalid.")


async def test_user_of_a_socket_has_its_origin(user: User) -> None:
    headers = [*bearer(access_token(user)), (b"user-agent", b"Mozilla/5.0 " + b"x" * 300)]
    scope = await scope_after(headers=headers, client=("2001:db8::1", 4711))
    assert scope["user"].origin == Origin("2001:db8::1", ("Mozilla/5.0 " + "x" * 300)[:200])


async def test_refused_token_is_not_made_up_for_by_a_later_one(user: User) -> None:
    query = f"token={access_token(user)}".encode()
    scope = await scope_after(subprotocols=["yjs", "garbage"], query_string=query)
    assert_refused(scope, "Token is invalid.")


def test_authentication_is_one_query(user: User, django_assert_num_queries) -> None:
    with django_assert_num_queries(1):
        authenticate_access_token(access_token(user).encode())
    token = str(begin_session(user=user).access_token).encode()
    with django_assert_num_queries(1):
        authenticate_access_token(token)


async def test_use_of_a_ticket_is_two_queries(user: User, django_assert_num_queries) -> None:
    refresh = await sync_to_async(begin_session)(user=user)
    ticket = await ticket_for(user, session_id=UUID(refresh["sid"]))

    def use() -> None:
        with django_assert_num_queries(2):
            use_ticket(ticket.encode(), origin=Origin())

    await sync_to_async(use)()


async def test_database_that_does_not_answer_is_told_apart_from_a_bad_token(
    user: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(raw: bytes) -> None:
        raise OperationalError("connection refused\nIs the server running?")

    monkeypatch.setattr("accounts.middleware.authenticate_access_token", away)
    scope = await scope_after(headers=bearer(access_token(user)))
    assert scope["user"] == AnonymousUser()
    assert (scope["auth_error"], scope["auth_unavailable"]) == (None, True)
    assert caplog.messages == [
        "A token could not be checked. The database does not answer: connection refused"
    ]
