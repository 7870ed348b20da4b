"""Which pages may open a WebSocket."""

from __future__ import annotations

import pytest

from backend.origin import is_allowed


@pytest.fixture(autouse=True)
def allowed(settings: pytest.FixtureRequest) -> None:
    settings.DEBUG = True
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
    settings.ALLOWED_ORIGINS = ["https://app.example.com"]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "localhost:8000"),
        ("http://app.example.com", "localhost:8000"),
        ("https://app.example.com.evil.example", "localhost:8000"),
        ("https://app.example.com:8443", "localhost:8000"),
        ("http://localhost:3000", "localhost:8000"),
        ("http://rebound.example:8000", "rebound.example:8000"),
        ("null", "localhost:8000"),
        ("", "localhost:8000"),
        ("http://[", "localhost:8000"),
        ("http://localhost:99999", "localhost:99999"),
        ("file://", "localhost:8000"),
    ],
)
def test_foreign_origin_is_refused(origin: str, host: str) -> None:
    assert not is_allowed(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "localhost:8000"),
        ("https://app.example.com", "localhost:8000"),
        ("https://app.example.com:443", "localhost:8000"),
        ("http://localhost:8000", "localhost:8000"),
        ("http://localhost", "localhost"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_known_origin_or_none_passes(origin: str | None, host: str) -> None:
    assert is_allowed(origin, host)


def test_own_origin_in_production_passes_only_when_it_is_listed(settings: pytest.FixtureRequest) -> None:
    settings.DEBUG = False
    assert not is_allowed("http://localhost:8000", "localhost:8000")
