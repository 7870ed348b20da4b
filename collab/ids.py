"""Many ids in a query, as one parameter.

`IN (?, ?, …)` is another statement for every number of ids. Each connection to SQLite keeps the last 128
statements, with 200 bytes for an id: questions about all live rooms would take more memory with every
number of them. And a database takes only so many parameters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Func
from django.db.models.sql.compiler import SQLCompiler


class IsAnyOf(Func):
    """Whether a column is one of these ids: `filter(IsAnyOf("pk", ids))`."""

    output_field = BooleanField()

    def __init__(self, column: str, ids: Iterable[UUID]) -> None:
        super().__init__(column)
        self.ids = list(ids)

    def as_sql(  # type: ignore[override]  # annotated for numbers and texts only
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, list[Any]]:
        """What is not PostgreSQL is SQLite, where an id is 32 hexadecimal digits."""
        if not self.ids:
            raise EmptyResultSet
        column, params = compiler.compile(self.get_source_expressions()[0])
        if connection.vendor == "postgresql":
            return column + " = ANY(%s::uuid[])", [*params, self.ids]
        digits = json.dumps([each.hex for each in self.ids])
        return column + " IN (SELECT value FROM json_each(%s))", [*params, digits]  # noqa: S608  # Django's words
