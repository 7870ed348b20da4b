"""Threads that talk to the database, so that the event loop does not wait for it.

They do not use the pool: after an outage it pauses between two attempts to connect, and everyone waits for
it. The engine paces its own attempts, and must be able to commit when HTTP has taken all there is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import (
    DEFAULT_DB_ALIAS,
    Error,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    reset_queries,
)

from accounts.errors import first_line
from collab.engine.errors import UnavailableError

P = ParamSpec("P")
R = TypeVar("R")


class DatabaseUnavailableError(UnavailableError):
    """Names what the database said: that is for the log, and not for clients."""

    @property
    def reason(self) -> str:
        return "The store does not answer; nothing was lost, try again later."


class DatabaseThreads:
    """A fixed number of threads, each with a database connection of its own, which stays open.

    The one border at which the database's errors become the engine's.
    """

    def __init__(self, name: str, size: int) -> None:
        self._size = size
        self._executor = ThreadPoolExecutor(size, thread_name_prefix=name, initializer=_leave_pool)

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function that uses the ORM, and may be called twice. Cancelled, it goes on to its end.

        A connection that was lost while nobody used it fails at its next use: then the function is
        called once more, on a new one.

        Raises:
            DatabaseUnavailableError: the database did not answer, or refused.
        """
        call = partial(_call, partial(function, *args, **kwargs))
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, call)
        except Error as error:
            raise DatabaseUnavailableError(f"The database does not answer: {first_line(error)}") from error

    def close(self) -> None:
        """Wait for what is running, then close every thread's connection. Blocks; call it from a thread."""
        barrier = threading.Barrier(self._size)  # each thread takes exactly one of the calls
        for _ in range(self._size):
            self._executor.submit(_close_connections, barrier)
        self._executor.shutdown()


def _leave_pool() -> None:
    """Give this thread a connection of its own under the alias that all queries use."""
    own = connection.copy()
    own.settings_dict["OPTIONS"].pop("pool", None)
    connections[DEFAULT_DB_ALIAS] = own


def _call(function: Callable[[], R]) -> R:
    was_open = connection.connection is not None
    try:
        return function()
    except (OperationalError, InterfaceError):
        connections.close_all()
        if not was_open:
            raise
        return function()
    finally:
        reset_queries()  # in development each connection remembers thousands of queries, updates and all


def _close_connections(barrier: threading.Barrier) -> None:
    barrier.wait(timeout=30)
    connections.close_all()
