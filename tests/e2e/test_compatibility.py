"""Real providers of several versions, in every case of `compatibility/`, on two kinds of installation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from tests.e2e.compatibility import CASES, Case
from tests.e2e.compatibility.stage import KINDS, Stage
from tests.e2e.conftest import ONE_PROCESS, running
from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.node import Node
from tests.support.redis import RedisServer
from tests.support.server import ROOT, Server
from tests.support.site import Site

THREE_PROCESSES = "three processes, PostgreSQL, Redis"
AT_ONCE = 12
CASE_TIMEOUT_S = 40.0

#: The first test of an installation waits for all of its cases.
pytestmark = pytest.mark.timeout(300)


@dataclass
class Outcomes:
    """How each case ended, and the reading of the servers' logs; None: well."""

    cases: dict[Case, BaseException | None]
    logs: AssertionError | None = None


@pytest.fixture(scope="module", params=[ONE_PROCESS, THREE_PROCESSES])
def outcomes(
    request: pytest.FixtureRequest, node_process: Node, tmp_path_factory: pytest.TempPathFactory
) -> Outcomes:
    """Of the cases that were asked for."""
    variables = {"THROTTLE_USER": "100000/minute", "THROTTLE_ADDRESS": "100000/minute"}
    if request.param == THREE_PROCESSES:
        redis: RedisServer = request.getfixturevalue("redis")
        postgres: PostgresDatabases = request.getfixturevalue("postgres_databases")
        variables |= {"DATABASE_URL": postgres.new_url(), "REDIS_URL": redis.url}
    else:
        sqlite: SqliteDatabases = request.getfixturevalue("sqlite_databases")
        variables["DATABASE_URL"] = sqlite.new_url()
    directory = tmp_path_factory.mktemp("compatibility")
    servers = [Server(directory, **variables) for _ in range(3 if request.param == THREE_PROCESSES else 1)]
    outcomes = Outcomes({})
    try:
        with running(Site(node_process, *servers)) as site:
            cases = selected(request.session.items)
            outcomes.cases = asyncio.run(run_all(site, variables["DATABASE_URL"], cases))
    except AssertionError as error:
        outcomes.logs = error
    return outcomes


def selected(items: Iterable[pytest.Item]) -> list[Case]:
    """The cases among the tests that are to run."""
    callspecs = [
        item.callspec for item in items if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    ]
    cases = [callspec.params.get("case") for callspec in callspecs]
    return list(dict.fromkeys(case for case in cases if isinstance(case, Case)))


async def run_all(site: Site, database_url: str, cases: list[Case]) -> dict[Case, BaseException | None]:
    people = site.people("Owner", "Other", "Stranger")
    turn = asyncio.Semaphore(AT_ONCE)

    async def run(case: Case) -> None:
        async with turn, asyncio.timeout(CASE_TIMEOUT_S), Stage(site, database_url, *people) as stage:
            await case.run(stage, *case.kinds)

    return dict(zip(cases, await asyncio.gather(*map(run, cases), return_exceptions=True), strict=True))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_client(case: Case, outcomes: Outcomes) -> None:
    error = outcomes.cases[case]
    if error is not None:
        raise error


def test_logs_are_clean(outcomes: Outcomes) -> None:
    if outcomes.logs is not None:
        raise outcomes.logs


def test_docs_name_the_versions_that_are_tried() -> None:
    packages = json.loads((ROOT / "tests" / "package.json").read_text())["dependencies"]
    clients = {
        name: version for name, version in packages.items() if "y-websocket" in name or "hocuspocus" in name
    }
    table = (ROOT / "docs" / "websocket.md").read_text().partition("## Clients that are tried")[2]
    assert len(clients) == len(KINDS)
    for version in clients.values():
        assert version.rpartition("@")[2] in table
