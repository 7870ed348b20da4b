"""The sandbox: a few processes with bounded memory and time, in which document code may do its worst.

    collect() ─▶ waits for a free worker ─▶ worker ─▶ bytes, or one kind of error

Workers are started when the first document comes. One that dies, hangs or takes too much is replaced.
Only `collector` is run in them. Where the system knows no limits of a process (Windows), nothing is.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import TimeoutError as DeadlineError
from concurrent.futures.process import BrokenProcessPool

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from collab import collector
from collab.engine.errors import CompactionBusyError, CompactionError
from collab.engine.limits import MIB

WORKERS = 1
#: Address space of one worker; its code takes some 40 MiB of it.
MEMORY_BYTES = 1024 * MIB
DEADLINE_S = 20.0
#: Beyond the deadline, what a worker may take to start or to be replaced.
PATIENCE_S = 10.0
#: A worker is replaced after so many tasks, whatever it has kept of them.
MAX_TASKS = 100
#: Documents that may wait, and their bytes; beyond, the answer is "not now".
MAX_WAITING = 16
MAX_WAITING_BYTES = 128 * MIB

CLOSED = "The sandbox is closed."
NO_LIMITS = "This system can't bound what a process takes: no document is collected."


class Sandbox:
    """See the module, and `engine.ports.Compactor`."""

    def __init__(self, *, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._pool: ProcessPool | None = None
        self._is_closed = False
        self._free = asyncio.Semaphore(WORKERS)
        self._waiting = 0
        self._waiting_bytes = 0
        self._answers: set[asyncio.Future[bytes]] = set()

    async def collect(self, update: bytes) -> bytes:
        return await self.run(collector.collect, update)

    async def run(self, task: Callable[[bytes], bytes], argument: bytes) -> bytes:
        """Do a task, a function of some module, in a worker. Cancelled, the worker is killed.

        Raises:
            CompactionBusyError: too much waits, or the sandbox broke before it came to this.
            CompactionError: it failed, took too much, or the sandbox is closed, or can't be one here.
        """
        if not collector.CAN_LIMIT:
            raise CompactionError(NO_LIMITS)
        waiting_bytes = self._waiting_bytes + len(argument)
        if self._waiting and (self._waiting >= MAX_WAITING or waiting_bytes > MAX_WAITING_BYTES):
            raise CompactionBusyError("Too many documents wait to be collected.")
        self._waiting += 1
        self._waiting_bytes += len(argument)
        try:
            async with self._free:
                return await self._run(task, argument)
        finally:
            self._waiting -= 1
            self._waiting_bytes -= len(argument)

    async def _run(self, task: Callable[[bytes], bytes], argument: bytes) -> bytes:
        future = await self._schedule(task, argument)
        answer = asyncio.wrap_future(future)
        self._answers.add(answer)
        try:
            await asyncio.wait({answer}, timeout=self._deadline_s + PATIENCE_S)
        finally:
            self._answers.discard(answer)
            is_answered = answer.done()
            answer.cancel()
        if not is_answered:
            await self._drop_pool()
            raise CompactionError("No worker answers.")
        if answer.cancelled():
            raise CompactionError(CLOSED)
        error = answer.exception()
        if isinstance(error, BrokenProcessPool):  # a worker died while it had nothing to do
            raise CompactionBusyError("The sandbox has to be started again.") from error
        if error is not None:
            raise CompactionError(self._reason(error)) from error
        return answer.result()

    def _reason(self, error: BaseException) -> str:
        match error:
            case collector.CollectionError():
                return str(error)
            case DeadlineError():
                return f"It took longer than {self._deadline_s} s."
            case ProcessExpired():
                return f"It was the end of the worker, with exit code {error.exitcode}."
        return f"The sandbox failed: {type(error).__name__}."

    async def _schedule(self, task: Callable[[bytes], bytes], argument: bytes) -> ProcessFuture[bytes]:
        if self._pool is not None and not self._pool.active:  # it broke
            await self._drop_pool()
        if self._is_closed:
            raise CompactionError(CLOSED)
        if self._pool is None:
            self._pool = ProcessPool(
                max_workers=WORKERS,
                max_tasks=MAX_TASKS,
                initializer=collector.limit_worker,
                initargs=(MEMORY_BYTES,),
                context=multiprocessing.get_context("spawn"),
            )
        arguments = task, argument, int(self._deadline_s) + 1
        return self._pool.schedule(collector.run, arguments, timeout=self._deadline_s)

    async def close(self) -> None:
        """Give up what is being done and what waits, and end the workers."""
        self._is_closed = True
        for answer in self._answers:
            answer.cancel()
        await self._drop_pool()

    async def _drop_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()  # type: ignore[no-untyped-call]
            await asyncio.to_thread(pool.join)
