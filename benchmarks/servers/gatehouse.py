"""Gatehouse as shipped: production settings, users with tokens, rooms with members, a log in the database."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import psycopg

from benchmarks.servers.base import Door, Plan
from benchmarks.servers.base import Server as BaseServer
from tests.support.postgres import Postgres, find_programs, running_postgres
from tests.support.redis import find_redis, running_redis
from tests.support.server import ROOT, Server, environment, migrate

#: Every client of a room is somebody else, up to so many; in larger rooms they come from several devices.
MAX_USERS = 200
STATISTICS_DELAY_S = 1.5
_DATABASE = "gatehouse"
_SECRET_KEY = "the servers of the benchmark sign with this one key 0123456789"


class Gatehouse(BaseServer):
    """One process on SQLite: what `make run` and one line of settings give."""

    name, title = "gatehouse", "Gatehouse"
    workers = 1
    processes = 1
    _template_directory: ClassVar[TemporaryDirectory[str]]
    _template: ClassVar[Path]

    @classmethod
    def install(cls, cache: Path) -> None:
        """Migrate a database once, of which each start gets a copy; it goes with this process."""
        cls._template_directory = TemporaryDirectory(prefix="gatehouse-template-")
        cls._template = Path(cls._template_directory.name) / "gatehouse.sqlite3"
        migrate(f"sqlite:///{cls._template}")

    def start(self, plan: Plan) -> None:
        self._exit = ExitStack()
        self.variables = {
            "DEBUG": "0",
            "SECRET_KEY": _SECRET_KEY,
            "ALLOWED_HOSTS": "127.0.0.1",
            **self._services(),
            **{name: str(value) for name, value in plan.limits.items()},
        }
        self._make_people(plan)
        arguments = ("--workers", str(self.workers)) if self.workers > 1 else ()
        self.servers = [Server(self.directory, *arguments, **self.variables) for _ in range(self.processes)]
        for server in self.servers:
            server.start()
            self._exit.callback(server.terminate)
        self.port = self.servers[0].port

    def stop(self) -> None:
        self._exit.close()

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(server.pid for server in self.servers)

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.directory / "gatehouse.sqlite3"

    def door(self, room: int, client: int = 0) -> Door:
        path = f"/ws/{self.rooms[room]}?token={self.token(client)}"
        return Door(room, path, port=self.servers[client % self.processes].port)

    def token(self, client: int) -> str:
        """The token of the user behind the client of a room."""
        token: str = self.tokens[client % len(self.tokens)]
        return token

    def commits(self) -> int:
        """Transactions that wrote, so far: SQLite counts them in the header of its WAL index."""
        header = self.database.with_name(f"{self.database.name}-shm").read_bytes()[:12]
        return int(struct.unpack("=III", header)[2])

    def _services(self) -> dict[str, str]:
        shutil.copy(self._template, self.database)
        return {"DATABASE_URL": f"sqlite:///{self.database}"}

    def _make_people(self, plan: Plan) -> None:
        users = min(plan.clients_per_room, MAX_USERS)
        wanted = {"rooms": plan.rooms, "users": users, "outsiders": plan.outsiders}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.people"],
            cwd=ROOT,
            env=environment(**self.variables),
            input=json.dumps(wanted),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"No people could be made:\n{done.stderr[-4000:]}")
        people: dict[str, Any] = json.loads(done.stdout)
        self.rooms, self.tokens = people["rooms"], people["tokens"]


class GatehousePostgres(Gatehouse):
    """Three processes behind one port, on a PostgreSQL and a Redis of their own."""

    name, title = "gatehouse-postgres", "Gatehouse, 3 processes, PostgreSQL, Redis"
    workers = 3
    postgres: Postgres

    @classmethod
    def install(cls, cache: Path) -> None:
        """See whether PostgreSQL and Redis are there."""
        find_programs()
        find_redis()

    def commits(self) -> int:
        """Transactions so far, those that only read too; PostgreSQL counts with a delay of a second."""
        time.sleep(STATISTICS_DELAY_S)
        query = "SELECT xact_commit FROM pg_stat_database WHERE datname = %s"
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            row = connection.execute(query, [_DATABASE]).fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def logged_statements(self) -> Iterator[list[str]]:
        """The SQL that PostgreSQL is sent within the block; complete at its end."""
        statements: list[str] = []
        self._set_logging("all")
        start = self.postgres.log.stat().st_size
        yield statements
        lines = self.postgres.log.read_bytes()[start:].decode(errors="replace").splitlines()
        statements += [line for line in lines if "LOG:  statement:" in line or "LOG:  execute " in line]
        self._set_logging("none")

    def _set_logging(self, statements: str) -> None:
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET log_statement = '{statements}'")
            connection.execute("SELECT pg_reload_conf()")
        time.sleep(1)  # until every session has heard it

    def _services(self) -> dict[str, str]:
        self.postgres = self._exit.enter_context(running_postgres())
        redis = self._exit.enter_context(running_redis())
        database = self.postgres.create_database(_DATABASE)
        migrate(database)
        return {"DATABASE_URL": database, "REDIS_URL": redis.url}


class GatehousePair(GatehousePostgres):
    """Two processes with a port each: clients of even and of odd number are on different ones."""

    name, title = "gatehouse-pair", "Gatehouse, 2 processes, PostgreSQL, Redis"
    workers, processes = 1, 2
