"""How often somebody may ask: by user, by address for those who are not signed in, strictly at the doors.

Counted in each process for itself. Rates are settings; none is no bound.

    user        requests of one user
    address     requests without a user from one address
    register    registrations from one address
    sign_in     sign-ins that failed, from one address and, whatever the address, into one account
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.core.cache import caches
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

if TYPE_CHECKING:  # views import the throttles of the settings
    from rest_framework.views import APIView


class _Throttle(SimpleRateThrottle):
    cache = caches["throttles"]

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        return f"{self.scope}:{address_of(request)}"


class UserThrottle(_Throttle):
    scope = "user"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        return f"{self.scope}:{request.user.pk}" if request.user and request.user.is_authenticated else None


class AddressThrottle(_Throttle):
    scope = "address"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        is_known = request.user and request.user.is_authenticated
        return None if is_known else super().get_cache_key(request, view)


class RegisterThrottle(_Throttle):
    scope = "register"


class FailureThrottle(_Throttle):
    """Counts what is told to it, and not every request.

    Args:
        subject: what it counts failures of.
    """

    scope = "sign_in"
    duration: float
    num_requests: int

    def __init__(self, subject: str) -> None:
        super().__init__()
        self.key = f"{self.scope}:{sha256(subject.encode('utf-8', 'surrogatepass')).hexdigest()}"

    def check(self) -> None:
        """Raises Throttled: it failed too often."""
        if self.rate is not None and not self._has_room():
            raise Throttled(self.wait())

    def _has_room(self) -> bool:
        self.now = self.timer()
        self.history = [at for at in self.cache.get(self.key, []) if at > self.now - self.duration]
        return len(self.history) < self.num_requests

    def failed(self) -> None:
        """Count a failure."""
        if self.rate is not None:
            self._has_room()
            self.throttle_success()


def sign_in_throttles(request: Request) -> list[FailureThrottle]:
    """Those that a sign-in has to pass, and is to be told to where it fails."""
    body = request.data if isinstance(request.data, Mapping) else {}
    account = str(body.get("email", "")).strip().lower()
    return [FailureThrottle(f"address {address_of(request)}"), FailureThrottle(f"account {account}")]


def address_of(request: Request) -> str:
    """From where a request came; a network of IPv6, where one customer has as many addresses as they like."""
    given: Any = request.META.get("REMOTE_ADDR")
    try:
        address = ipaddress.ip_address(given or "")
    except ValueError:
        return "unknown"
    if address.version == 6 and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
