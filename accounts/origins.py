"""From where a request or a socket comes, for the audit trail."""

from __future__ import annotations

from collections.abc import MutableMapping
from ipaddress import IPv6Address, ip_address
from typing import Any

from django.http import HttpRequest

from accounts.models import Origin, User

MAX_USER_AGENT = 200


def origin_of_request(request: HttpRequest) -> Origin:
    """The other end of an HTTP request, as the server in front of the application names it."""
    return _origin(request.META.get("REMOTE_ADDR"), request.headers.get("User-Agent", ""))


def operator_of(request: HttpRequest) -> User:
    """Who is signed in to the admin site, with from where they act."""
    operator = request.user
    if not isinstance(operator, User):
        raise TypeError("Nobody is signed in.")
    operator.origin = origin_of_request(request)
    return operator


def origin_of_scope(scope: MutableMapping[str, Any]) -> Origin:
    """The other end of a WebSocket, from its ASGI scope."""
    agents = (value for name, value in scope.get("headers", ()) if name == b"user-agent")
    address, _ = scope.get("client") or (None, None)
    return _origin(address, next(agents, b"").decode("latin-1"))


def _origin(address: str | None, user_agent: str) -> Origin:
    return Origin(_known_address(address or ""), user_agent.replace("\0", "")[:MAX_USER_AGENT])


def _known_address(address: str) -> str | None:
    """In the one spelling that a database gives back; over a Unix socket there is none."""
    try:
        known = ip_address(address.partition("%")[0])  # the interface says nothing to anyone else
    except ValueError:
        return None
    mapped = known.ipv4_mapped if isinstance(known, IPv6Address) else None
    return str(mapped or known)
