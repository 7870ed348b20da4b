"""A private PostgreSQL: its own data directory and port, gone with the tests.

Durable as in production (`fsync` on), because tests kill it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from tests.support.missing import MissingError
from tests.support.processes import free_port, spawn, stop, temporary_directory, wait_ready

USER = "gatehouse"
ADMIN_DATABASE = "postgres"


def find_programs() -> Path:
    """The directory of `initdb` and `postgres`: the newest of Debian's, or that of `PATH`.

    Raises:
        MissingError: there is none.
    """
    installed = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(installed, key=lambda path: float(path.parts[-3]), default=None)
    found = newest or shutil.which("postgres")
    if not found:
        raise MissingError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return Path(found).resolve().parent


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    return "postgres" if os.geteuid() == 0 else None


class Postgres:
    """One server; `start()` and `stop()` may follow each other, the data stay."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.log = directory / "log"
        self._programs = find_programs()
        self._process: subprocess.Popen[bytes] | None = None

    def initialize(self) -> None:
        """Make the data directory; once, before the first start."""
        options = ["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"]
        self._finish([str(self._programs / "initdb"), "-D", str(self.directory / "data"), *options])

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        listening = f"-c listen_addresses=127.0.0.1 -c max_connections=200 -p {self.port}"
        command = [str(self._programs / "postgres"), "-D", str(self.directory / "data")]
        command += ["-k", str(self.directory), "-c", "fsync=on", *listening.split()]
        self._process = spawn(command, self.log, user=_unprivileged_user())
        wait_ready(self._answers, self._process, self.log, timeout_s=30)

    def stop(self, *, immediately: bool = False) -> None:
        """End it: sessions are cut; `immediately` also leaves the recovery to the next start."""
        if self._process is not None:
            stop(self._process, signal.SIGQUIT if immediately else signal.SIGINT)
            self._process = None

    def restart(self, *, immediately: bool = False) -> None:
        self.stop(immediately=immediately)
        self.start()

    def cut_connections(self) -> int:
        """End every session but our own, as an operator or a failing network would; how many there were."""
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        others += " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            return len(connection.execute(others).fetchall())

    def url(self, database: str = ADMIN_DATABASE) -> str:
        """A `DATABASE_URL`."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, *, template: str = "template0") -> str:
        """Make a database, a copy of `template`; its `DATABASE_URL`."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _finish(self, command: list[str]) -> None:
        process = spawn(command, self.log, user=_unprivileged_user())
        if process.wait():
            raise RuntimeError(f"{command[0]} failed:\n{self.log.read_text()[-4000:]}")


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A new, empty, running server.

    Raises:
        MissingError: PostgreSQL is not installed.
    """
    find_programs()
    with temporary_directory("pg", owner=_unprivileged_user()) as directory:
        server = Postgres(directory)
        server.initialize()
        server.start()
        try:
            yield server
        finally:
            server.stop()
