"""A wrong variable stops the start, by name."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from backend.env import read_environment
from collab.engine.limits import Limits

VARIABLES = [
    "DEBUG",
    "SECRET_KEY",
    "DATABASE_URL",
    "REDIS_URL",
    "EMAIL_URL",
    "EMAIL_FROM",
    "FRONTEND_URL",
    "THROTTLE_SIGN_IN",
    "TRUSTED_PROXIES",
    "VERIFY_INVITATIONS",
    "ALLOWED_HOSTS",
    "ALLOWED_ORIGINS",
    "HOST",
    "PORT",
    "ACCESS_TOKEN_LIFETIME_S",
    "REFRESH_TOKEN_LIFETIME_S",
]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("backend.env.VAR_DIR", tmp_path / "var")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "abc", "integer"),
        ("PORT", "70000", "65535"),
        ("DEBUG", "maybe", "boolean"),
        ("DATABASE_URL", "mysql://user@host/name", "postgresql://"),
        ("DATABASE_URL", "nonsense", "sqlite:///"),
        ("REDIS_URL", "http://127.0.0.1", "redis://"),
        ("EMAIL_URL", "mail.example.com", "smtp://"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy", "10.0.0.0/8"),
        ("THROTTLE_SIGN_IN", "often", "20/minute"),
        ("THROTTLE_SIGN_IN", "0/minute", "20/minute"),
        ("FRONTEND_URL", "app.example.com", "https://app.example.com"),
        ("VERIFY_INVITATIONS", "perhaps", "boolean"),
        ("ALLOWED_ORIGINS", "app.example.com", "https://app.example.com"),
        ("ALLOWED_ORIGINS", "https://app.example.com/page", "origin"),
        ("ACCESS_TOKEN_LIFETIME_S", "0", "1"),
        ("COLLAB_MAX_MESSAGE_BYTES", "-5", "1"),
        ("COLLAB_ACCESS_LEASE_S", "soon", "integer"),
    ],
)
def test_bad_variable_is_named_with_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=f"{name}: .*{expected}"):
        read_environment()


def test_several_bad_variables_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "abc")
    monkeypatch.setenv("COLLAB_OUTBOX_BYTES", "0")
    with pytest.raises(ImproperlyConfigured, match=r"(?s)PORT.*COLLAB_OUTBOX_BYTES"):
        read_environment()


def test_production_without_secret_key_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "0")
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        read_environment()


def test_error_about_the_database_does_not_show_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://user:hunter2@host/name")
    with pytest.raises(ImproperlyConfigured) as error:
        read_environment()
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(("debug", "expected"), [("0", True), ("1", False)])
def test_invitations_are_verified_in_production(
    monkeypatch: pytest.MonkeyPatch, debug: str, expected: bool
) -> None:
    monkeypatch.setenv("DEBUG", debug)
    monkeypatch.setenv("SECRET_KEY", "x" * 50)
    assert read_environment().verify_invitations is expected


def test_development_key_is_made_once_and_kept() -> None:
    first, second = read_environment(), read_environment()
    assert first.secret_key == second.secret_key
    assert len(first.secret_key) >= 50


def test_defaults_are_those_of_the_engine() -> None:
    assert read_environment().limits == Limits()


def test_limit_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAB_MAX_DOCUMENT_BYTES", "1000")
    assert read_environment().limits.max_document_bytes == 1000


PROVIDER = {
    "OIDC_JWKS_URL": "https://login.example.com/jwks",
    "OIDC_ISSUER": "https://login.example.com/",
    "OIDC_AUDIENCE": "gatehouse",
}


@pytest.mark.parametrize("missing", PROVIDER)
def test_identity_provider_is_given_whole_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    assert read_environment().identity_provider is None
    for name, value in PROVIDER.items():
        monkeypatch.setenv(name, value)
    provider = read_environment().identity_provider
    assert provider is not None
    assert (provider.issuer, provider.organization_claim) == ("https://login.example.com/", "organization")
    for value in (None, ""):
        monkeypatch.delenv(missing, raising=False)
        if value is not None:
            monkeypatch.setenv(missing, value)
        with pytest.raises(ImproperlyConfigured, match=missing):
            read_environment()


@pytest.mark.parametrize(
    "url", ["http://login.example.com/jwks", "file:///etc/jwks", "login.example.com", "https://", "ftp://x/y"]
)
def test_keys_of_the_identity_provider_come_over_tls(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name, value in {**PROVIDER, "OIDC_JWKS_URL": url}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=r"OIDC_JWKS_URL: .*https"):
        read_environment()
