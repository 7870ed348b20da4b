"""What every test shares: services that are started once, and the names of those that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import TemporaryDirectory

import pytest
from django.core.cache import caches
from hypothesis import settings as hypothesis_settings

from tests.support.missing import skipping_what_is_missing, summary_lines
from tests.support.node import Node, running_node
from tests.support.postgres import Postgres, running_postgres
from tests.support.redis import RedisServer, running_redis

DATABASE_DIRECTORY = pytest.StashKey[TemporaryDirectory]()

hypothesis_settings.register_profile("gatehouse", deadline=None, derandomize=False, print_blob=True)
hypothesis_settings.load_profile("gatehouse")


def pytest_configure(config: pytest.Config) -> None:
    from django.conf import settings

    # A slow hash is what production wants; a test would spend most of its time in it.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # In a file, because threads share it; of its own, because another run may be under way.
    directory = config.stash[DATABASE_DIRECTORY] = TemporaryDirectory(prefix="gatehouse-tests-")
    settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = (
        f"{directory.name}/test.sqlite3" if "sqlite" in settings.DATABASES["default"]["ENGINE"] else None
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[DATABASE_DIRECTORY].cleanup()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in summary_lines(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(autouse=True)
def nobody_has_asked_before() -> None:
    """What an earlier test has asked the API for throttles no later one."""
    caches["throttles"].clear()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A private PostgreSQL server."""
    with skipping_what_is_missing(), running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A private Redis server. A test that stops it starts one of its own with `running_redis()`."""
    with skipping_what_is_missing(), running_redis() as server:
        yield server


@pytest.fixture(scope="session")
def node_process() -> Iterator[Node]:
    """The process of the real clients."""
    with skipping_what_is_missing(), running_node() as node:
        yield node


@pytest.fixture
def node(node_process: Node) -> Iterator[Node]:
    """The process of the real clients; every client is gone after the test."""
    yield node_process
    node_process.reset()
