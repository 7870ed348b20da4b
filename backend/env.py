"""The environment, read once and checked whole: every bad variable is named, with what was expected.

`read_environment()` returns plain values; nothing else in the project reads `os.environ`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import dj_database_url
import dj_email_url
from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvValidationError, ValidationError, validate

from accounts.oidc import ProviderSettings
from collab.engine.limits import Limits

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

_positive = validate.Range(min=1)


#: Requests in a time, by who is counted.
THROTTLE_RATES = {
    "user": "6000/minute",
    "address": "3000/minute",
    "register": "120/minute",
    "sign_in": "20/minute",
}


@dataclass(frozen=True, slots=True)
class Environment:
    """Every setting an operator may give; see `.env.example` for the meaning of each."""

    debug: bool
    secret_key: str
    database: Mapping[str, object]
    redis_url: str | None
    email: Mapping[str, object]
    email_from: str
    frontend_url: str
    verify_invitations: bool
    allowed_hosts: list[str]
    allowed_origins: list[str]
    host: str
    port: int
    trusted_proxies: list[str]
    access_token_lifetime_s: int
    refresh_token_lifetime_s: int
    throttle_rates: Mapping[str, str | None]
    identity_provider: ProviderSettings | None
    limits: Limits


def read_environment() -> Environment:
    """Read and check all variables.

    Raises:
        ImproperlyConfigured: one line for each variable that is wrong, by name.
    """
    env = Env(eager=False)
    env.read_env(BASE_DIR / ".env", recurse=False)
    defaults = Limits()
    debug = env.bool("DEBUG", True)
    # A variable that is missing or bad reads as None until env.seal() has raised for all of them.
    host = env.str("HOST", "127.0.0.1")
    port = env.int("PORT", 8000, validate=validate.Range(min=0, max=65535))
    values = Environment(
        debug=debug,
        secret_key=_secret_key(env, debug=bool(debug)),
        database=_database(env),
        redis_url=env.str("REDIS_URL", "", validate=_redis_url) or None,
        email=_email(env, debug=bool(debug)),
        email_from=env.str("EMAIL_FROM", "Gatehouse <gatehouse@localhost>", validate=validate.Length(min=3)),
        frontend_url=(env.str("FRONTEND_URL", f"http://{host}:{port}", validate=_web_url) or "").rstrip("/"),
        verify_invitations=env.bool("VERIFY_INVITATIONS", not debug),
        allowed_hosts=env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"] if debug else []),
        allowed_origins=env.list("ALLOWED_ORIGINS", [], validate=_origins),
        host=host,
        port=port,
        trusted_proxies=env.list("TRUSTED_PROXIES", ["127.0.0.1", "::1"], validate=_networks),
        access_token_lifetime_s=env.int("ACCESS_TOKEN_LIFETIME_S", 900, validate=_positive),
        refresh_token_lifetime_s=env.int("REFRESH_TOKEN_LIFETIME_S", 14 * 86400, validate=_positive),
        throttle_rates={
            name: env.str(f"THROTTLE_{name.upper()}", rate, validate=_rate) or None
            for name, rate in THROTTLE_RATES.items()
        },
        identity_provider=_identity_provider(env),
        limits=Limits(
            **{
                name: env.int(f"COLLAB_{name.upper()}", getattr(defaults, name), validate=_positive)
                for name in Limits.__dataclass_fields__
            }
        ),
    )
    try:
        env.seal()
    except EnvValidationError as error:
        problems = cast("Mapping[str, list[str]]", error.error_messages)
        lines = [f"{name}: {' '.join(found)}" for name, found in problems.items()]
        raise ImproperlyConfigured("The environment is not usable.\n  " + "\n  ".join(lines)) from error
    return values


def _identity_provider(env: Env) -> ProviderSettings | None:
    """All of it or nothing."""
    claim = env.str("OIDC_ORGANIZATION_CLAIM", "organization", validate=validate.Length(min=1))
    if not any(env.str(name, "") for name in ("OIDC_JWKS_URL", "OIDC_ISSUER", "OIDC_AUDIENCE")):
        return None
    return ProviderSettings(
        jwks_url=env.str("OIDC_JWKS_URL", validate=_keys_url),
        issuer=env.str("OIDC_ISSUER", validate=validate.Length(min=1)),
        audience=env.str("OIDC_AUDIENCE", validate=validate.Length(min=1)),
        organization_claim=claim,
    )


def _keys_url(value: str) -> None:
    """Whoever can change what comes from there can sign in as anybody."""
    parts = urlsplit(value)
    is_local = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not is_local and (parts.scheme != "https" or not parts.hostname):
        raise ValidationError(
            "Expected the address of the provider's keys, such as https://login.example.com/jwks."
        )


def _secret_key(env: Env, *, debug: bool) -> str:
    if not debug:
        return env.str("SECRET_KEY", validate=validate.Length(min=32))
    given = env.str("SECRET_KEY", "")
    return given or _development_key()


def _development_key() -> str:
    """A key made once and kept, so that tokens survive a restart of a development server."""
    path = VAR_DIR / "secret_key"
    if not path.exists():
        VAR_DIR.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=VAR_DIR, prefix=".secret_key") as draft:
            draft.write(secrets.token_urlsafe(64))
            draft.flush()
            # Linked whole: of two processes that start at once the second finds the first one's key.
            with contextlib.suppress(FileExistsError):
                os.link(draft.name, path)
    return path.read_text()


def _database(env: Env) -> Mapping[str, object]:
    url = env.str("DATABASE_URL", f"sqlite:///{VAR_DIR / 'gatehouse.sqlite3'}", validate=_database_url)
    try:
        return dict(dj_database_url.parse(url or ""))
    except (ValueError, KeyError):
        return {}


def _database_url(value: str) -> None:
    scheme = urlsplit(value).scheme
    if scheme not in {"sqlite", "postgres", "postgresql"}:
        raise ValidationError("Expected sqlite:///path/to/file or postgresql://user:password@host:port/name.")


def _email(env: Env, *, debug: bool) -> Mapping[str, object]:
    url = env.str("EMAIL_URL", "console:" if debug else "dummy:", validate=_email_url)
    try:
        found = dict(dj_email_url.parse(url or ""))
        return found | ({"EMAIL_BACKEND": "accounts.mail.ConsoleBackend"} if url == "console:" else {})
    except (ValueError, KeyError):
        return {}


def _email_url(value: str) -> None:
    if urlsplit(value).scheme not in {"smtp", "smtps", "submission", "console", "file", "dummy"}:
        raise ValidationError(
            "Expected smtp://host:25, submission://user:password@host:587 (STARTTLS), "
            "smtps://user:password@host:465, file:///directory, console: or dummy:."
        )


def _networks(values: list[str]) -> None:
    for value in values:
        try:
            ipaddress.ip_network(value)
        except ValueError:
            raise ValidationError(f"{value!r} is not an address or network such as 10.0.0.0/8.") from None


def _rate(value: str) -> None:
    if value and not re.fullmatch(r"[1-9][0-9]{0,8}/(second|minute|hour|day)", value):
        raise ValidationError("Expected a rate such as 20/minute (second, minute, hour, day), or nothing.")


def _web_url(value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise ValidationError("Expected an address such as https://app.example.com.")


def _redis_url(value: str) -> None:
    if value and urlsplit(value).scheme not in {"redis", "rediss", "unix"}:
        raise ValidationError("Expected redis://host:port/0, rediss://… or unix:///path.")


def _origins(values: list[str]) -> None:
    for value in values:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path not in {"", "/"}:
            raise ValidationError(f"{value!r} is not an origin such as https://app.example.com.")
