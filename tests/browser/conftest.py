"""Chromium, once for all tests, and real servers that serve the page that was built."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.windows import CODE, HOCUSPOCUS, RICH_TEXT, Windows, find_chromium
from tests.support.databases import SqliteDatabases
from tests.support.missing import skipping_what_is_missing
from tests.support.server import Server

#: What was measured, for the end of the run: machines differ too much for a limit.
MEASURED = pytest.StashKey[list[str]]()
NewServer = Callable[..., Server]

kinds = pytest.mark.parametrize("kind", [RICH_TEXT, CODE])
protocols = pytest.mark.parametrize("protocol", ["y-websocket", HOCUSPOCUS])


def pytest_configure(config: pytest.Config) -> None:
    config.stash[MEASURED] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all of them: it is the browser's."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash[MEASURED]:
        terminalreporter.write_line(line)


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> list[str]:
    """Lines for the end of the run."""
    return request.config.stash[MEASURED]


@pytest.fixture(scope="session")
def chromium_path() -> str:
    with skipping_what_is_missing():
        return find_chromium()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def windows(browser: Browser) -> AsyncIterator[Windows]:
    """The windows of one test; in none of them a script may fail or be refused."""
    windows = Windows(browser)
    yield windows
    await windows.close()
    windows.check()


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


def _start(stack: ExitStack, directory: Path, databases: SqliteDatabases, **variables: str) -> Server:
    server = Server(
        directory,
        DATABASE_URL=databases.new_url(),
        DJANGO_SETTINGS_MODULE="tests.support.settings_fast_passwords",
        **variables,
    )
    server.start()
    stack.callback(server.check_log)
    stack.callback(lambda: server.is_running() and server.terminate())
    return server


@pytest.fixture(scope="session")
def server(
    chromium_path: str, databases: SqliteDatabases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for the tests that do it no harm."""
    with ExitStack() as stack:
        yield _start(stack, tmp_path_factory.mktemp("server"), databases)


@pytest.fixture
def new_server(chromium_path: str, databases: SqliteDatabases, tmp_path: Path) -> Iterator[NewServer]:
    """Makes a server for one test alone."""
    with ExitStack() as stack:
        yield lambda **variables: _start(stack, tmp_path, databases, **variables)
