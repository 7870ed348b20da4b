"""Threads with a database connection of their own: kept, made anew when lost, and never the pool's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection

from collab.engine.errors import UnavailableError
from collab.threads import DatabaseThreads

pytestmark = pytest.mark.django_db(transaction=True)

ON_POSTGRES = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has no sessions and no pool"
)


@pytest.fixture
async def thread() -> AsyncIterator[DatabaseThreads]:
    threads = DatabaseThreads("of-a-test", 1)
    yield threads
    await asyncio.to_thread(threads.close)


def ask(statement: str = "SELECT 1", *values: object) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


class Failing:
    """Loses the connection the first times it is called."""

    def __init__(self, times: int) -> None:
        self.calls = 0
        self._times = times

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._times:
            raise OperationalError("the connection is lost")
        return "an answer"


async def test_thread_keeps_its_connection(thread: DatabaseThreads) -> None:
    def connected() -> object:
        ask()
        return connection.connection

    assert await thread.run(connected) is await thread.run(connected)


async def test_connection_that_was_lost_while_idle_is_made_anew(thread: DatabaseThreads) -> None:
    await thread.run(ask)
    function = Failing(1)
    assert await thread.run(function) == "an answer"
    assert function.calls == 2


async def test_function_is_called_again_once_and_no_more(thread: DatabaseThreads) -> None:
    await thread.run(ask)
    function = Failing(2)
    with pytest.raises(UnavailableError):
        await thread.run(function)
    assert function.calls == 2


async def test_connection_that_can_not_be_made_is_not_tried_twice(thread: DatabaseThreads) -> None:
    function = Failing(1)
    with pytest.raises(UnavailableError):
        await thread.run(function)
    assert function.calls == 1


@ON_POSTGRES
async def test_session_that_the_server_ended_is_replaced(thread: DatabaseThreads) -> None:
    [[pid]] = await thread.run(ask, "SELECT pg_backend_pid()")
    await sync_to_async(ask)("SELECT pg_terminate_backend(%s, 5000)", pid)
    [[other]] = await thread.run(ask, "SELECT pg_backend_pid()")
    assert other != pid


@ON_POSTGRES
async def test_thread_is_answered_while_others_hold_the_whole_pool(thread: DatabaseThreads) -> None:
    def hold() -> list[object]:
        connection.close()
        return [connection.pool.getconn() for _ in range(connection.pool.max_size)]

    def give_back(held: list[object]) -> None:
        for each in held:
            connection.pool.putconn(each)

    held = await sync_to_async(hold)()
    try:
        async with asyncio.timeout(4):
            assert await thread.run(ask) == [(1,)]
    finally:
        await sync_to_async(give_back)(held)


@ON_POSTGRES
async def test_connection_gives_up_a_server_that_vanished(thread: DatabaseThreads) -> None:
    def parameters() -> dict[str, str]:
        connection.ensure_connection()
        return dict(connection.connection.info.get_parameters())

    known = await thread.run(parameters)
    assert (known["connect_timeout"], known["tcp_user_timeout"]) == ("3", "6000")
    assert (known["keepalives_idle"], known["keepalives_interval"], known["keepalives_count"]) == (
        "3",
        "1",
        "3",
    )


@ON_POSTGRES
async def test_closed_threads_leave_no_session() -> None:
    threads = DatabaseThreads("of-a-test", 3)
    pids = [
        pid for [[pid]] in await asyncio.gather(*(threads.run(ask, "SELECT pg_backend_pid()") for _ in "abc"))
    ]
    await asyncio.to_thread(threads.close)

    def left() -> list[tuple[object, ...]]:
        for _ in range(1000):  # a session ends a moment after its connection
            if not (found := ask("SELECT pid FROM pg_stat_activity WHERE pid = ANY(%s)", pids)):
                break
            ask("SELECT 1 FROM pg_sleep(0.01)")
        return found

    assert await sync_to_async(left)() == []
