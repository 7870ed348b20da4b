"""What breaks: one actor for each kind of thing, all at work at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

from tests.support.server import Server
from tests.torture.memory import Memory
from tests.torture.scene import Scene

#: The share of a process's rooms whose clients are gone for good when it is killed.
DOOMED_SHARE = 0.5

Fault = Callable[[], Awaitable[None]]


class Faults:
    """The actors. Each has random numbers of its own, so that a seed gives each the same decisions.

    The last process is spared by those that end processes, so that one lives long enough to show
    whether it grows, and all are killed together at the end; all other faults meet it too.
    """

    def __init__(self, scene: Scene, memory: Memory) -> None:
        self._scene = scene
        self._memory = memory
        self.rounds: Counter[str] = Counter()
        seed = scene.options.seed
        self._redis, self._postgres, self._clients = (
            Random(f"{seed} {actor}") for actor in ("redis", "postgres", "clients")
        )

    async def run(self, seconds: float) -> None:
        """Break things for so long; everything is whole again when this returns."""
        end = asyncio.get_running_loop().time() + seconds
        servers = self._scene.servers[:-1] or self._scene.servers
        actors = [
            partial(self._end_process, server, Random(f"{self._scene.options.seed} process {number}"))
            for number, server in enumerate(servers)
        ]
        async with asyncio.TaskGroup() as group:
            for actor in (*actors, self._break_redis, self._break_postgres, self._drop_clients):
                group.create_task(self._repeat(actor, end))

    async def _repeat(self, fault: Fault, end: float) -> None:
        while asyncio.get_running_loop().time() < end:
            await fault()

    async def _end_process(self, server: Server, random: Random) -> None:
        await asyncio.sleep(random.uniform(0.2, 3.0))
        self._memory.ended(server)
        if random.random() < 0.75:
            self.rounds["process killed (SIGKILL)"] += 1
            doomed = await self._scene.call("writersDoom", url=server.socket_url, share=DOOMED_SHARE)
            self.rounds["clients that died with it"] += doomed
            await asyncio.to_thread(server.kill)
        else:
            self.rounds["process drained (SIGTERM)"] += 1
            await asyncio.to_thread(server.terminate)
        await asyncio.sleep(random.uniform(0.0, 0.5))
        await self._scene.start_again(server)
        self._memory.started(server)

    async def end_all(self) -> None:
        """Kill every process at once, and start them again."""
        self.rounds["all processes killed at once"] += 1
        for server in self._scene.servers:
            server.kill()
        await asyncio.gather(*map(self._scene.start_again, self._scene.servers))

    async def _break_redis(self) -> None:
        random, redis = self._redis, self._scene.redis
        await asyncio.sleep(random.uniform(1.0, 4.0))
        match random.choice(("kill", "restart", "pause")):
            case "kill":
                self.rounds["Redis killed"] += 1
                await asyncio.to_thread(redis.kill)
                await asyncio.sleep(random.uniform(0.5, 4.0))
                await asyncio.to_thread(redis.start)
            case "restart":
                self.rounds["Redis restarted"] += 1
                await asyncio.to_thread(redis.restart)
            case _:
                self.rounds["Redis stopped for a while (SIGSTOP)"] += 1
                redis.pause()
                await asyncio.sleep(random.uniform(0.5, 5.0))
                redis.resume()

    async def _break_postgres(self) -> None:
        random, postgres = self._postgres, self._scene.postgres
        await asyncio.sleep(random.uniform(1.0, 4.0))
        match random.choice(("cut", "cut", "crash", "restart")):
            case "cut":
                self.rounds["PostgreSQL connections cut"] += 1
                await asyncio.to_thread(postgres.cut_connections)
            case "crash":
                self.rounds["PostgreSQL crashed and recovered"] += 1
                await asyncio.to_thread(lambda: postgres.stop(immediately=True))
                await asyncio.sleep(random.uniform(0.0, 2.0))
                await asyncio.to_thread(postgres.start)
            case _:
                self.rounds["PostgreSQL restarted"] += 1
                await asyncio.to_thread(postgres.restart)

    async def _drop_clients(self) -> None:
        random = self._clients
        await asyncio.sleep(random.uniform(0.5, 2.0))
        count = random.randint(1, max(1, self._scene.options.clients // 8))
        self.rounds["clients moved to another process"] += count
        await self._scene.call("writersDrop", count=count)
