"""Real servers for the end-to-end tests.

`site` is shared and runs each test twice: on one process with SQLite and the in-process layer, and
on two processes that share PostgreSQL and Redis. `new_site` makes one that a test may break.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.node import Node
from tests.support.postgres import Postgres
from tests.support.redis import RedisServer, running_redis
from tests.support.server import Server
from tests.support.site import Site

pytest.register_assert_rewrite("tests.e2e.compatibility")

ONE_PROCESS = "one process, SQLite"
TWO_PROCESSES = "two processes, PostgreSQL, Redis"
WITHOUT_Y_PY = "one process, SQLite, no y-py"
TWO_WORKERS = "two workers of one server, PostgreSQL, Redis"

#: For tests of what must hold on every kind of installation.
everywhere = pytest.mark.parametrize(
    "installation", [ONE_PROCESS, TWO_PROCESSES, WITHOUT_Y_PY, TWO_WORKERS], indirect=True
)
#: For tests of what has nothing to do with the number of processes.
one_process = pytest.mark.parametrize("installation", [ONE_PROCESS], indirect=True)

#: Of the leases of `two_processes`.
LEASE_S = 3
#: A lease is renewed by a timer: what is allowed beside the lease itself on a busy machine.
MARGIN_S = 1.5

_BLOCKER = Path(__file__).resolve().parent.parent / "support" / "without_y_py"
_COMMON = {"ACCESS_TOKEN_LIFETIME_S": "3600"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_databases(postgres: Postgres) -> PostgresDatabases:
    return PostgresDatabases(postgres)


@contextmanager
def running(site: Site) -> Iterator[Site]:
    """Starts all its processes; at the end they stop and their logs are read."""
    try:
        site.start()
        yield site
    finally:
        site.stop()


@pytest.fixture(scope="session", params=[ONE_PROCESS, TWO_PROCESSES])
def installation(
    request: pytest.FixtureRequest, node_process: Node, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """One running installation of each kind for all tests."""
    directory = tmp_path_factory.mktemp("servers")
    variables = dict(_COMMON)
    if request.param in {TWO_PROCESSES, TWO_WORKERS}:
        redis: RedisServer = request.getfixturevalue("redis")
        databases: PostgresDatabases = request.getfixturevalue("postgres_databases")
        variables |= {"DATABASE_URL": databases.new_url(), "REDIS_URL": redis.url}
    else:
        variables["DATABASE_URL"] = request.getfixturevalue("sqlite_databases").new_url()
    if request.param == WITHOUT_Y_PY:
        variables["PYTHONPATH"] = str(_BLOCKER)
    arguments = ("--workers", "2") if request.param == TWO_WORKERS else ()
    count = 2 if request.param == TWO_PROCESSES else 1
    servers = [Server(directory, *arguments, **variables) for _ in range(count)]
    with running(Site(node_process, *servers)) as site:
        yield site


@pytest.fixture
def site(installation: Site, node: Node) -> Iterator[Site]:
    """The shared installation; clients are gone, and the logs are clean, after each test."""
    yield installation
    installation.check_logs()


@pytest.fixture
def new_site(node: Node, sqlite_databases: SqliteDatabases, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes a running installation for one test alone.

    Without a `DATABASE_URL` among the variables: on a new SQLite file.
    """
    with ExitStack() as stack:

        def make(*arguments: str, processes: int = 1, **variables: str) -> Site:
            if "DATABASE_URL" not in variables:
                variables["DATABASE_URL"] = sqlite_databases.new_url()
            servers = [Server(tmp_path, *arguments, **{**_COMMON, **variables}) for _ in range(processes)]
            return stack.enter_context(running(Site(node, *servers)))

        yield make


@pytest.fixture
def own_redis(redis: RedisServer) -> Iterator[RedisServer]:
    """A Redis that this test may break; `redis` is asked for only to skip where there is none."""
    with running_redis() as server:
        yield server


@pytest.fixture
def two_processes(
    new_site: Callable[..., Site], postgres_databases: PostgresDatabases, own_redis: RedisServer
) -> Site:
    """Two processes whose Redis this test may break, with leases of `LEASE_S`."""
    return new_site(
        processes=2,
        DATABASE_URL=postgres_databases.new_url(),
        REDIS_URL=own_redis.url,
        COLLAB_ACCESS_LEASE_S=str(LEASE_S),
    )
