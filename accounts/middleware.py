"""Who is behind a WebSocket: reads the access token of the handshake into the scope.

The token is the first one found in: the header `Authorization: Bearer`, the subprotocols
`["yjs", "<access token>"]`, the query parameter `token`. One that is refused is not made up for by a
later one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.middleware import BaseMiddleware
from django.contrib.auth.models import AnonymousUser
from django.db import Error, reset_queries
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts.errors import first_line
from accounts.models import User
from accounts.tokens import TokenInfo, TokenRefusedError, authenticate_access_token

logger = logging.getLogger("accounts.middleware")

Scope = MutableMapping[str, Any]


class JWTAuthMiddleware(BaseMiddleware):
    """Fills the scope; never closes the connection and never raises for what a client sent.

    `scope["user"]`: the active `User` of the token, else `AnonymousUser`.
    `scope["token"]`: its `TokenInfo`, else None.
    `scope["auth_error"]`: why a token that was given was refused, else None; holds no part of it.
    `scope["auth_unavailable"]`: whether nobody could say, because the database did not answer.
    """

    async def __call__(self, scope: Scope, receive: Callable, send: Callable[[Any], Awaitable[None]]) -> Any:
        found = {"user": AnonymousUser(), "token": None, "auth_error": None, "auth_unavailable": False}
        scope = {**scope, **found}
        try:
            raw = find_token(scope)
            if raw is not None:
                scope["user"], scope["token"] = await database_sync_to_async(_authenticate)(raw)
        except TokenRefusedError as error:
            scope["auth_error"] = str(error)
        except Error as error:
            scope["auth_unavailable"] = True
            logger.warning(
                "A token could not be checked, the database does not answer: %s", first_line(error)
            )
        return await super().__call__(scope, receive, send)


def _authenticate(raw: bytes) -> tuple[User, TokenInfo]:
    try:
        return authenticate_access_token(raw)
    finally:
        reset_queries()  # in development a connection remembers thousands; only HTTP forgets them by itself


def find_token(scope: Scope) -> bytes | None:
    """The encoded token of a handshake, unverified; None where there is none.

    Raises:
        TokenRefusedError: a Bearer header that holds anything but one token.
    """
    return (
        _from_header(scope.get("headers", ()))
        or _from_subprotocols(scope.get("subprotocols", ()))
        or _from_query(scope.get("query_string", b""))
    )


def _from_header(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    header = next((value for name, value in headers if name == b"authorization"), b"")
    try:
        return JWTAuthentication().get_raw_token(header)
    except AuthenticationFailed as error:
        raise TokenRefusedError("Authorization header is malformed.") from error


def _from_subprotocols(subprotocols: Iterable[str]) -> bytes | None:
    match list(subprotocols):
        case ["yjs", token, *_]:
            return _encoded(token)
    return None


def _from_query(query_string: bytes) -> bytes | None:
    values = parse_qs(query_string.decode("utf-8", "replace")).get("token")
    return _encoded(values[0]) if values else None


def _encoded(token: str) -> bytes:
    return token.encode("utf-8", "surrogatepass")
