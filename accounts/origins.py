"""From where a request or a socket comes, for the audit trail."""

from __future__ import annotations

from collections.abc import MutableMapping
from ipaddress import ip_address
from typing import Any

from django.http import HttpRequest

from accounts.models import Origin

MAX_USER_AGENT = 200


def origin_of_request(request: HttpRequest) -> Origin:
    """The other end of an HTTP request, as the server in front of the application names it."""
    return _origin(request.META.get("REMOTE_ADDR"), request.headers.get("User-Agent", ""))


def origin_of_scope(scope: MutableMapping[str, Any]) -> Origin:
    """The other end of a WebSocket, from its ASGI scope."""
    agents = (value for name, value in scope.get("headers", ()) if name == b"user-agent")
    address, _ = scope.get("client") or (None, None)
    return _origin(address, next(agents, b"").decode("latin-1"))


def _origin(address: str | None, user_agent: str) -> Origin:
    try:
        known = str(ip_address(address or ""))
    except ValueError:  # over a Unix socket there is none
        known = None
    return Origin(known, user_agent.replace("\0", "")[:MAX_USER_AGENT])
