"""Who is behind a WebSocket: reads what it comes in with from the handshake into the scope.

That is the first one found in: the header `Authorization: Bearer`, the subprotocols
`["yjs", "<access token>"]`, the query parameter `ticket`, the query parameter `token`. One that is refused is
not made up for by a later one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.middleware import BaseMiddleware
from django.contrib.auth.models import AnonymousUser
from django.db import Error, reset_queries
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts.errors import first_line
from accounts.models import Origin, User
from accounts.oidc import ProviderUnavailableError
from accounts.origins import origin_of_scope
from accounts.services.external_users import sign_in_external_user, verifier_of, verify_external_token
from accounts.services.tickets import use_ticket
from accounts.tokens import Credential, TokenRefusedError, authenticate_access_token

logger = logging.getLogger("accounts.middleware")

#: Wait for the identity provider, where nobody else waits for them.
_provider_threads = ThreadPoolExecutor(4, thread_name_prefix="identity-provider")

Scope = MutableMapping[str, Any]


Check = Callable[[], tuple[User, Credential]]
#: Runs a check of a credential in a thread; raises AuthUnavailableError where the database does not answer.
InThread = Callable[[Check], Awaitable[tuple[User, Credential]]]


class AuthUnavailableError(Exception):
    """Nobody could say whether something is good; the message, for the log, says who did not answer."""


class Secret(NamedTuple):
    """What a handshake came with, unverified."""

    value: bytes
    is_ticket: bool = False


class JWTAuthMiddleware(BaseMiddleware):
    """Fills the scope; never closes the connection and never raises for what a client sent.

    `scope["user"]`: the active `User`, with `origin`, else `AnonymousUser`.
    `scope["credential"]`: the `Credential` they came in with, else None.
    `scope["auth_error"]`: why a token that was given was refused, else None; holds no part of it.
    `scope["auth_unavailable"]`: whether nobody could say, because the database or the identity provider did
    not answer.

    Args:
        in_thread: runs what asks the database.
    """

    def __init__(self, inner: Callable[..., Awaitable[Any]], in_thread: InThread | None = None) -> None:
        super().__init__(inner)
        self._in_thread = in_thread or in_django_thread

    async def __call__(self, scope: Scope, receive: Callable, send: Callable[[Any], Awaitable[None]]) -> Any:
        found = {"user": AnonymousUser(), "credential": None, "auth_error": None, "auth_unavailable": False}
        scope = {**scope, **found}  # a copy: what is filled in here is for those within
        try:
            secret = find_secret(scope)
            if secret is not None:
                scope["user"], scope["credential"] = await authenticate(
                    secret, origin_of_scope(scope), self._in_thread
                )
        except TokenRefusedError as error:
            scope["auth_error"] = str(error)
        except AuthUnavailableError as error:
            scope["auth_unavailable"] = True
            logger.warning("A token could not be checked. %s", error)
        return await self.inner(scope, receive, send)


async def authenticate(secret: Secret, origin: Origin, in_thread: InThread) -> tuple[User, Credential]:
    """Verify what somebody came with.

    Args:
        in_thread: runs what asks the database.

    Raises:
        TokenRefusedError: it is not good.
        AuthUnavailableError: nobody can say.
    """
    verifier = None if secret.is_ticket else verifier_of(secret.value)
    try:
        if secret.is_ticket:
            found = await in_thread(partial(use_ticket, secret.value, origin=origin))
        elif verifier is None:
            found = await in_thread(partial(authenticate_access_token, secret.value))
        else:
            verify = partial(verify_external_token, verifier, secret.value)
            claims = await asyncio.get_running_loop().run_in_executor(_provider_threads, verify)
            found = await in_thread(partial(sign_in_external_user, claims))
    except ProviderUnavailableError as error:
        raise AuthUnavailableError("The identity provider does not answer") from error
    user, credential = found
    user.origin = origin
    return user, credential


async def in_django_thread(check: Check) -> tuple[User, Credential]:
    """Run a check where Django runs synchronous code; it connects to the database each time.

    Raises:
        AuthUnavailableError: the database does not answer.
    """
    try:
        found: tuple[User, Credential] = await database_sync_to_async(_and_forget_queries)(check)
    except Error as error:
        raise AuthUnavailableError(f"The database does not answer: {first_line(error)}") from error
    return found


def _and_forget_queries(check: Check) -> tuple[User, Credential]:
    try:
        return check()
    finally:
        reset_queries()  # in development a connection remembers thousands; only HTTP forgets them by itself


def find_secret(scope: Scope) -> Secret | None:
    """What a handshake comes with; None where it comes with nothing.

    Raises:
        TokenRefusedError: a Bearer header that holds anything but one token.
    """
    query = parse_qs(scope.get("query_string", b"").decode("utf-8", "replace"))
    token = _from_header(scope.get("headers", ())) or _from_subprotocols(scope.get("subprotocols", ()))
    if token:
        return Secret(token)
    for name in ("ticket", "token"):
        if values := query.get(name):
            return Secret(_encoded(values[0]), is_ticket=name == "ticket")
    return None


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


def _encoded(token: str) -> bytes:
    return token.encode("utf-8", "surrogatepass")
