"""Many ids in a query, as one parameter.

`IN (?, ?, …)` is another statement for every number of ids. Each connection to SQLite keeps the last 128
statements, with 200 bytes for an id: questions about all live rooms would take more memory with every
number of them. And a database takes only so many parameters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Func, TextField
from django.db.models.functions import Cast
from django.db.models.sql.compiler import SQLCompiler

T = TypeVar("T")
V = TypeVar("V")


class Ids(Generic[T]):
    """Ids as 32 hexadecimal digits, and what each of them stands for.

    Thousands of them are put into words once, for all the questions that are asked about them, and looked
    up by their digits in what is found (`AsText`): to make a `UUID` takes longer than all of that.
    """

    def __init__(self, by_digits: Mapping[str, T]) -> None:
        self._by_digits = by_digits

    def __bool__(self) -> bool:
        return bool(self._by_digits)

    @cached_property
    def json(self) -> str:
        return json.dumps(list(self._by_digits))

    @cached_property
    def array(self) -> str:
        """As PostgreSQL writes an array."""
        return "{" + ",".join(self._by_digits) + "}"

    def found(self, rows: Iterable[tuple[str, V]]) -> dict[T, V]:
        """What was found, by what the ids stand for, of rows that begin with an `AsText`."""
        return {self._by_digits[text.replace("-", "")]: value for text, value in rows}


def ids_of(ids: Iterable[UUID]) -> Ids[UUID]:
    return Ids({each.hex: each for each in ids})


class AsText(Cast):
    """An id as the database writes it: `values_list(AsText("pk"))`."""

    def __init__(self, column: str) -> None:
        super().__init__(column, TextField())


class IsAnyOf(Func):
    """Whether a column is one of these ids: `filter(IsAnyOf("pk", ids))`."""

    output_field = BooleanField()

    def __init__(self, column: str, ids: Ids[Any] | Iterable[UUID]) -> None:
        super().__init__(column)
        self.ids = ids if isinstance(ids, Ids) else ids_of(ids)

    def as_sql(  # type: ignore[override]  # annotated for numbers and texts only
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, list[Any]]:
        """What is not PostgreSQL is SQLite, where an id is 32 hexadecimal digits."""
        if not self.ids:
            raise EmptyResultSet
        column, params = compiler.compile(self.get_source_expressions()[0])
        if connection.vendor == "postgresql":
            return column + " = ANY(%s::uuid[])", [*params, self.ids.array]
        return column + " IN (SELECT value FROM json_each(%s))", [*params, self.ids.json]  # noqa: S608  # Django's words
