"""The live engine of this process: its parts put together, its tasks started and ended.

One for each event loop, made when the first consumer or the server's start asks for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from django.conf import settings

from collab.access import DatabaseAccess
from collab.denials import DeniedWrites
from collab.engine.connection import Connection
from collab.engine.errors import ResetError, UnavailableError
from collab.engine.leases import LeaseKeeper
from collab.engine.limits import Limits
from collab.engine.logged import LoggedReplication
from collab.engine.meter import UserMeters
from collab.engine.peers import PeerReplication
from collab.engine.ports import Grant
from collab.engine.publisher import Publisher
from collab.engine.registry import Registry
from collab.relay import STORED, UNSTORED, LayerRelay
from collab.roster import Roster
from collab.sandbox import Sandbox
from collab.store import DatabaseLog

logger = logging.getLogger("collab.live")

#: How often all live rooms are compared with the log; what a lost message may cost.
HEAL_S = 2.0
#: How often rooms without a log exchange state vectors.
PEER_HEAL_S = 4.0
#: How often connections are looked after.
SWEEP_S = 2.0
#: How long the end of the process waits for the store.
DRAIN_S = 20.0

DRAINING = "The server is going down; come back at once."


class LiveEngine:
    """`stored`: rooms that the log keeps; `unstored`: rooms that live as long as they are open."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.clock = time.monotonic
        self.meters = UserMeters(limits.work_percent, self.clock)
        self.access = DatabaseAccess()
        self.roster = Roster()
        self.denials = DeniedWrites(self.clock)
        self.leases = LeaseKeeper(self.access, limits.access_lease_s, self.clock, self._renewed)
        self.is_draining = False
        self._log = DatabaseLog()
        self._gone_processes: asyncio.Queue[str] = asyncio.Queue()
        self._relay = LayerRelay(
            get_channel_layer(), self._access_changed, on_process_gone=self._gone_processes.put_nowait
        )
        stored, unstored = self._relay.in_namespace(STORED), self._relay.in_namespace(UNSTORED)
        self._publishers = Publisher(stored), Publisher(unstored)
        self._sandbox = Sandbox()
        self._logged = LoggedReplication(
            self._log, self._publishers[0].publish, limits, compactor=self._sandbox
        )
        peers = PeerReplication(self._publishers[1].publish, reaches_others=unstored.reaches_others)
        self.stored = Registry(
            replication=self._logged,
            relay=stored,
            publish=self._publishers[0].publish,
            limits=limits,
            clock=self.clock,
        )
        self.unstored = Registry(
            replication=peers,
            relay=unstored,
            publish=self._publishers[1].publish,
            limits=limits,
            clock=self.clock,
        )
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the tasks that run as long as the engine."""
        self._run(self._logged.write(), "log writer")
        self._run(self._relay.run(), "relay")
        self._run(self._relay.watch(), "relay watch")
        self._run(self._relay.beat(), "relay beat")
        self._run(self._forget_gone(), "presence of processes that died")
        self._run(self.roster.run(), "roster")
        self._run(self.denials.run(), "denied writes")
        for publisher in self._publishers:
            self._run(publisher.run(), "publisher")
        self._run(_every(HEAL_S, self.stored.heal), "healing")
        self._run(_every(PEER_HEAL_S, self.unstored.heal), "healing of unstored rooms")
        self._run(_every(self.leases.sweep_interval_s, self.leases.sweep), "leases")
        self._run(_every(SWEEP_S, self._sweep), "sweep")

    def _run(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        task.add_done_callback(_report_end)
        self._tasks.append(task)

    async def _sweep(self) -> None:
        await self.stored.sweep()
        await self.unstored.sweep()

    async def _forget_gone(self) -> None:
        """Take away the presence of processes that died, for ever."""
        while True:
            process = await self._gone_processes.get()
            logger.info(
                "Process %s is not heard any more: who is present there is taken out of all rooms", process
            )
            for registry in (self.stored, self.unstored):
                await registry.forget_process(process)

    @property
    def hears_others(self) -> bool:
        """Whether the channel layer passes messages on."""
        return self._relay.is_hearing

    def _access_changed(self, object_id: UUID) -> None:
        self.leases.changed(object_id)

    def _renewed(self, connection: Connection, grant: Grant) -> None:
        self.roster.changed(UUID(connection.id), grant.role)
        connection.on_renamed(grant.user_name)

    async def stop(self) -> None:
        """Send everyone away, commit all that was received, leave every room, and end the tasks."""
        self.is_draining = True
        error = ResetError(DRAINING)
        for registry in (self.stored, self.unstored):
            registry.send_away(error)
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._logged.drain()
                for publisher in self._publishers:
                    await publisher.drain()
        except TimeoutError:
            logger.critical(
                "The store did not take everything in %s s; what nobody was told is lost", DRAIN_S
            )
        await self._sandbox.close()  # from here on checkpoints are what the rooms hold
        await self.stored.close(error)
        await self._logged.finish()
        await self.unstored.close(error)
        await end_tasks(self._tasks)
        await self._relay.leave()
        await self.roster.leave()
        await self.denials.finish()
        await asyncio.to_thread(self.roster.close)
        await asyncio.to_thread(self.denials.close)
        await asyncio.to_thread(self._log.close)
        await asyncio.to_thread(self.access.close)


_engines: WeakKeyDictionary[asyncio.AbstractEventLoop, LiveEngine] = WeakKeyDictionary()


def get_engine() -> LiveEngine:
    """The engine of the running event loop, started if it was not."""
    loop = asyncio.get_running_loop()
    engine = _engines.get(loop)
    if engine is None:
        engine = _engines[loop] = LiveEngine(settings.COLLAB_LIMITS)
        engine.start()
    return engine


async def stop_engine() -> None:
    """End the engine of the running event loop, if there is one."""
    engine = _engines.pop(asyncio.get_running_loop(), None)
    if engine is not None:
        await engine.stop()


async def end_tasks(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel, and again until each has ended: a channel layer's `receive` may swallow one."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1)


async def _every(interval_s: float, call: Callable[[], Awaitable[None]]) -> None:
    """Call again and again, that long apart; a store that does not answer is waited for."""
    while True:
        started_at = time.monotonic()
        try:
            await call()
        except UnavailableError as error:
            logger.warning("%s", error)
        except Exception:
            logger.exception("A periodic task failed; it goes on")
        await asyncio.sleep(max(0.0, interval_s - (time.monotonic() - started_at)))


def _report_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        logger.critical("The task %s has ended: %r", task.get_name(), task.exception())
