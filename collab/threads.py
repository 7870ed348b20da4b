"""Threads that talk to the database, so that the event loop does not wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar, cast

from channels.db import database_sync_to_async
from django.db import Error, connections

from collab.engine.errors import UnavailableError

P = ParamSpec("P")
R = TypeVar("R")


class DatabaseThreads:
    """A fixed number of threads, each with a database connection of its own.

    The one border at which the database's errors become the engine's.
    """

    def __init__(self, name: str, size: int) -> None:
        self._size = size
        self._executor = ThreadPoolExecutor(size, thread_name_prefix=name)

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function that uses the ORM. Cancelled, the call itself goes on to its end.

        Raises:
            UnavailableError: the database did not answer, or refused.
        """
        call = database_sync_to_async(function, thread_sensitive=False, executor=self._executor)
        try:
            return cast("R", await call(*args, **kwargs))
        except Error as error:
            raise UnavailableError(f"The database does not answer: {type(error).__name__}.") from error

    def close(self) -> None:
        """Wait for what is running, then close every thread's connection. Blocks; call it from a thread."""
        barrier = threading.Barrier(self._size)  # each thread takes exactly one of the calls
        for _ in range(self._size):
            self._executor.submit(_close_connections, barrier)
        self._executor.shutdown()


def _close_connections(barrier: threading.Barrier) -> None:
    barrier.wait(timeout=30)
    connections.close_all()
