"""The scene of a torture: private services, server processes, rooms, and clients that write."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.databases import PostgresDatabases
from tests.support.node import Node, running_node
from tests.support.postgres import Postgres, running_postgres
from tests.support.processes import temporary_directory
from tests.support.redis import RedisServer, running_redis
from tests.support.server import Server
from tests.support.site import Site
from tests.torture.options import Options

#: Node, with all clients in it, is busy: an answer may take a while.
PATIENCE_S = 60.0
START_AGAIN_S = 60.0


class Scene:
    """What the faults are done to."""

    def __init__(
        self, node: Node, postgres: Postgres, redis: RedisServer, directory: Path, options: Options
    ) -> None:
        self.node, self.postgres, self.redis, self.options = node, postgres, redis, options
        self.database_url = PostgresDatabases(postgres).new_url()
        variables = {"DATABASE_URL": self.database_url, "REDIS_URL": redis.url}
        variables |= {"ACCESS_TOKEN_LIFETIME_S": "86400", "COLLAB_MAX_CONNECTIONS_PER_USER_AND_ROOM": "1000"}
        self.servers = [Server(directory, **variables) for _ in range(options.processes)]
        self.site = Site(node, *self.servers)
        self.rooms: list[str] = []

    @property
    def urls(self) -> list[str]:
        return [server.socket_url for server in self.servers]

    async def start(self) -> None:
        """Start all processes; make the people and the rooms, each open to all of them."""
        await asyncio.gather(*(asyncio.to_thread(server.start) for server in self.servers))
        await asyncio.to_thread(self._make_rooms)
        options = self.options
        writers = [self._client(number, options.write_ms) for number in range(options.clients)]
        await self.call("writersStart", writers=writers, seed=options.seed)

    def _make_rooms(self) -> None:
        owner, *others = self.site.people(*(f"user{number}" for number in range(self.options.users)))
        for number in range(self.options.rooms):
            room = owner.create_room(f"Room {number}")
            for other in others:
                owner.share(room, other, "editor")
            self.rooms.append(room)

    def _client(self, number: int, mean_ms: int, name: str = "writer") -> dict[str, Any]:
        """Rooms, users and servers in turn, each at a pace of its own so that all of them mix."""
        user = self.site.person(f"user{number // len(self.rooms) % self.options.users}")
        return {
            "name": f"{name} {number}",
            "urls": self.urls,
            "first": number % len(self.urls),
            "room": self.rooms[number % len(self.rooms)],
            "params": {"token": user.access, "echo": "1"},
            "meanMs": mean_ms,
        }

    async def add_fresh_readers(self) -> None:
        """In every room one client that never saw it before."""
        readers = [self._client(number, 0, "reader") for number in range(len(self.rooms))]
        await self.call("writersStart", writers=readers)

    async def call(self, command: str, **arguments: Any) -> Any:
        """One command to the clients, see `writers.mjs`."""
        return await self.node.call(command, **{"timeout_s": PATIENCE_S, **arguments})

    def keep_logs(self) -> Path:
        """Where the logs of the servers still are after the end."""
        kept = Path(tempfile.mkdtemp(prefix="gatehouse-torture-logs-"))
        for server in self.servers:
            shutil.copy(server.log, kept)
        return kept

    async def start_again(self, server: Server) -> None:
        """Start a process as its supervisor would: again and again, while the database is away.

        Raises:
            RuntimeError: it does not start.
        """
        deadline = asyncio.get_running_loop().time() + START_AGAIN_S
        while True:
            try:
                return await asyncio.to_thread(server.start)
            except RuntimeError:
                if asyncio.get_running_loop().time() > deadline:
                    raise


@contextmanager
def made_scene(options: Options) -> Iterator[Scene]:
    """The services and the clients' process; everything ends with the block.

    Raises:
        MissingError: PostgreSQL, Redis or Node is missing.
    """
    with ExitStack() as stack:
        node = stack.enter_context(running_node())
        postgres = stack.enter_context(running_postgres())
        redis = stack.enter_context(running_redis())
        directory = stack.enter_context(temporary_directory("torture"))
        scene = Scene(node, postgres, redis, directory, options)
        try:
            yield scene
        finally:
            for server in scene.servers:
                if server.is_running():
                    server.kill()
