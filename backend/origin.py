"""The first gate of a WebSocket: which web pages may open one.

A browser always says where the page came from, and a page can't forge it. Other clients say nothing and
pass: the token is never a cookie, so nobody's sign-in rides along unasked.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

logger = logging.getLogger("backend.origin")

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[Any]]
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class OriginCheck:
    """Refuses foreign origins with HTTP 403, before anything else of the request is looked at."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> Any:
        if is_allowed(_header(scope, b"origin"), _header(scope, b"host")):
            return await self.app(scope, receive, send)
        logger.info("A WebSocket from a foreign origin was refused; see ALLOWED_ORIGINS")
        return await refuse_handshake(scope, receive, send)


async def refuse_handshake(scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """Answer a WebSocket handshake with HTTP 403."""
    await receive()
    await send({"type": "websocket.close"})


def is_allowed(origin: str | None, host: str | None) -> bool:
    """Whether a page of this origin may open a socket; in development the server's own may."""
    if origin is None:
        return True
    if any(_same(origin, allowed) for allowed in settings.ALLOWED_ORIGINS):
        return True
    return settings.DEBUG and host is not None and _is_own(origin, host)


def _is_own(origin: str, host: str) -> bool:
    parts = _split(origin)
    return (
        parts is not None
        and _split(f"{parts[0]}://{host}") == parts
        and validate_host(parts[1], settings.ALLOWED_HOSTS)
    )


def _same(origin: str, allowed: str) -> bool:
    parts = _split(origin)
    return parts is not None and parts == _split(allowed)


def _split(origin: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port; none for what is no origin, such as `null`."""
    try:
        parts = urlsplit(origin)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return parts.scheme, host, port


def _header(scope: Scope, wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), None)
