"""Migrated databases in no time: each schema is made once and copied."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

from tests.support.postgres import Postgres
from tests.support.server import migrate

_numbers = itertools.count(1)


class SqliteDatabases:
    """SQLite files in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._template = directory / "template.sqlite3"

    def new_url(self) -> str:
        """The `DATABASE_URL` of a new, migrated database."""
        if not self._template.exists():
            migrate(f"sqlite:///{self._template}")
        path = self._directory / f"{next(_numbers)}.sqlite3"
        shutil.copy(self._template, path)
        return f"sqlite:///{path}"


class PostgresDatabases:
    """Databases of one PostgreSQL server."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._template = ""

    def new_url(self) -> str:
        """The `DATABASE_URL` of a new, migrated database."""
        if not self._template:
            self._template = f"template_{next(_numbers)}"
            migrate(self._server.create_database(self._template))
        return self._server.create_database(f"test_{next(_numbers)}", template=self._template)
