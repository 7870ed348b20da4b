"""Queries whose SQL is made once: the ORM composes it, later calls only put other values in.

To compose a statement with a handful of subqueries takes the ORM ten times as long as the database takes
to answer it. The statement is composed with stand-ins for the values; where they come out among its
parameters, each call puts its own. So every query is still written, and read, in the words of the ORM.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.db.models.sql.compiler import SQLCompiler

Value = UUID | datetime | str
_days = count()


@dataclass(frozen=True, slots=True)
class _Statement:
    sql: str
    params: tuple[Any, ...]
    places: tuple[tuple[int, str], ...]  # in `params`, for the value of this name
    compiler: SQLCompiler


class PreparedQuery:
    """A query that is asked again and again.

    Args:
        make: gives the queryset, of `values_list(…)`, for a shape and values by name. The SQL may depend on
            the shape and on nothing else: not on a value, nor on whether there is one.
    """

    def __init__(self, make: Callable[..., QuerySet]) -> None:
        self._make = make
        self._statements: dict[Hashable, _Statement] = {}

    def first(self, shape: Hashable = None, **values: Value) -> tuple[Any, ...] | None:
        """The first row, its values as the ORM gives them; none if there is no row."""
        own = connections[DEFAULT_DB_ALIAS]
        kinds = tuple((name, type(value)) for name, value in values.items())
        key = own.vendor, shape, kinds
        statement = self._statements.get(key)
        if statement is None:
            statement = self._statements[key] = self._compose(own, shape, dict(kinds))
        params = list(statement.params)
        for place, name in statement.places:
            params[place] = _adapted(values[name], own)
        with own.cursor() as cursor:
            cursor.execute(statement.sql, params)
            row = cursor.fetchone()
        if row is None:
            return None
        return tuple(next(iter(statement.compiler.results_iter([[row]]))))

    def _compose(self, own: BaseDatabaseWrapper, shape: Hashable, kinds: dict[str, type]) -> _Statement:
        stand_ins = {name: _stand_in(kind) for name, kind in kinds.items()}
        query = self._make(shape, **stand_ins)[:1].query
        compiler = query.get_compiler(connection=own)
        sql, params = compiler.as_sql()
        adapted = {_adapted(value, own): name for name, value in stand_ins.items()}
        places = tuple((place, adapted[param]) for place, param in enumerate(params) if param in adapted)
        unused = stand_ins.keys() - {name for _, name in places}
        if unused:
            raise ValueError(f"The query does not use {', '.join(sorted(unused))}.")
        return _Statement(sql, tuple(params), places, compiler)


def _stand_in(kind: type) -> Value:
    """A value that nothing else in a query equals."""
    if kind is datetime:
        return datetime(1900, 1, 1, tzinfo=UTC) + timedelta(days=next(_days))
    return uuid4() if kind is UUID else f"stand-in {uuid4()}"


def _adapted(value: Value, own: BaseDatabaseWrapper) -> Any:
    """A value as the database takes it for a parameter."""
    if isinstance(value, UUID):
        return value if own.features.has_native_uuid_field else value.hex
    return own.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
