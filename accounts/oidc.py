"""Tokens of an identity provider (OpenID Connect): whether they are good, and what they say.

The provider's public keys come from its JWKS address. They are kept, so that the provider is asked now and
then and not for each token: again when they are old, and for a token that names an unknown key, but never
more often than every `ASK_EVERY_S`, whatever tokens arrive. While it does not answer, known keys go on.

Which issuer a token claims decides how it is verified, never its algorithm: a token of the provider is
verified with the provider's keys alone, each with the one algorithm that it is for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

logger = logging.getLogger("accounts.oidc")

ALGORITHMS = frozenset({"RS256", "ES256"})
#: By how much clocks may differ.
LEEWAY_S = 30
#: After so long known keys are asked for again; after so long without an answer they are good no more.
FRESH_S = 300.0
KEPT_S = 3600.0
ASK_EVERY_S = 10.0
TIMEOUT_S = 3.0
MAX_TEXT = 255

Clock = Callable[[], float]


class ExternalTokenError(Exception):
    """The token is not good; the message says why in one sentence, without any part of the token."""


class ProviderUnavailableError(Exception):
    """The identity provider does not answer, so nobody can say whether the token is good."""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """Where the keys are, what tokens have to say, and which of their claims names the organization."""

    jwks_url: str
    issuer: str
    audience: str
    organization_claim: str


@dataclass(frozen=True, slots=True)
class ExternalClaims:
    """What a verified token says. `expires_at`: seconds since the epoch; `email`: as given, or empty."""

    issuer: str
    subject: str
    organization: str
    name: str
    email: str
    is_email_verified: bool
    expires_at: float


class Verifier:
    """Verifies the tokens of one provider; safe to use from many threads."""

    def __init__(self, settings: ProviderSettings, clock: Clock = time.monotonic) -> None:
        self._settings = settings
        self._keys = _Keys(settings.jwks_url, clock)

    def claims(self, raw: bytes) -> bool:
        """Whether the token says that it is of this provider; nothing is verified."""
        try:
            payload = jwt.decode(raw, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError):
            return False
        return payload.get("iss") == self._settings.issuer

    def verify(self, raw: bytes) -> ExternalClaims:
        """Verify a token and read it. May wait for the provider, `TIMEOUT_S` as a rule.

        Raises:
            ExternalTokenError: it is not good.
            ProviderUnavailableError: the key that it is signed with is not known.
        """
        try:
            header = jwt.get_unverified_header(raw)
            algorithm, key_id = header.get("alg"), header.get("kid")
            if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
                raise ExternalTokenError("Token is invalid.")
            if not isinstance(key_id, str | None):
                raise ExternalTokenError("Token is invalid.")
            key = self._keys.find(key_id)
            if key is None:
                raise ExternalTokenError("Token is signed with an unknown key.")
            payload = jwt.decode(
                raw,
                key,
                algorithms=[key.algorithm_name],
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise ExternalTokenError("Token is expired.") from error
        except jwt.InvalidAudienceError as error:
            raise ExternalTokenError("Token is for another audience.") from error
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
            raise ExternalTokenError("Token is invalid.") from error
        return self._read(payload)

    def _read(self, payload: dict[str, Any]) -> ExternalClaims:
        subject = _text(payload.get("sub"))
        organization = _text(payload.get(self._settings.organization_claim))
        if not subject:
            raise ExternalTokenError("Token names nobody.")
        if not organization:
            raise ExternalTokenError("Token names no organization.")
        is_verified = payload.get("email_verified")
        return ExternalClaims(
            issuer=self._settings.issuer,
            subject=subject,
            organization=organization,
            name=_text(payload.get("name")) or _text(payload.get("preferred_username")),
            email=_text(payload.get("email")),
            is_email_verified=is_verified is True or is_verified == "true",
            expires_at=float(payload["exp"]) + LEEWAY_S,
        )


class _Keys:
    """The provider's public keys by id; under none the only one, if it is the only one."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=TIMEOUT_S)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at = self._asked_at = float("-inf")
        self._is_answering = True

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key of this id; none if the provider has no such key.

        Raises:
            ProviderUnavailableError: it was asked in vain.
        """
        key = self._known(key_id)
        if key is not None and self._clock() - self._fetched_at < FRESH_S:
            return key
        if self._lock.acquire(blocking=key is None):  # who knows the key need not wait for another's answer
            try:
                if self._clock() - self._asked_at >= ASK_EVERY_S:
                    self._ask()
            finally:
                self._lock.release()
        key = self._known(key_id)
        if key is None and not self._is_answering:
            raise ProviderUnavailableError("The identity provider does not answer.")
        return key

    def _known(self, key_id: str | None) -> jwt.PyJWK | None:
        return self._keys.get(key_id) if self._clock() - self._fetched_at < KEPT_S else None

    def _ask(self) -> None:
        try:
            found = self._client.get_jwk_set().keys
        except (jwt.PyJWTError, OSError, ValueError) as error:
            self._is_answering = False
            logger.warning("The keys of the identity provider could not be read: %s", error)
        else:
            self._is_answering = True
            usable = [key for key in found if key.algorithm_name in ALGORITHMS and _is_for_signing(key)]
            self._keys = {key.key_id: key for key in usable if isinstance(key.key_id, str)}
            if len(usable) == 1:
                self._keys[None] = usable[0]
            self._fetched_at = self._clock()
        self._asked_at = self._clock()


def _is_for_signing(key: jwt.PyJWK) -> bool:
    return key.public_key_use is None or key.public_key_use == "sig"


def _text(value: object) -> str:
    """A claim that should be a short text; empty where it is not."""
    return value if isinstance(value, str) and len(value) <= MAX_TEXT and "\0" not in value else ""
