"""Queries whose SQL is made once: the ORM composes it, later calls only put other values in.

To compose a statement with a handful of subqueries takes the ORM ten times as long as the database takes
to answer it. The statement is composed with stand-ins for the values; where they come out among its
parameters, each call puts its own. So every query is still written, and read, in the words of the ORM.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet
from django.db.models.query import ModelIterable
from django.db.models.sql.compiler import SQLCompiler

Value = UUID | datetime | str
#: Statements that are kept of one query; a client may choose among more shapes.
MAX_STATEMENTS = 128
_days = count()


@dataclass(frozen=True, slots=True)
class _Statement:
    sql: str
    params: tuple[Any, ...]
    places: tuple[tuple[int, str], ...]  # in `params`, for the value of this name
    compiler: SQLCompiler
    converters: dict[int, Any]  # of a row's values, by place
    gives_instances: bool

    def is_like(self, other: _Statement) -> bool:
        """Whether it is the same but for the values in their places."""
        return (self.sql, self.places, self._rest()) == (other.sql, other.places, other._rest())

    def _rest(self) -> list[Any]:
        places = {place for place, _ in self.places}
        return [param for place, param in enumerate(self.params) if place not in places]


class PreparedQuery:
    """A query that is asked again and again.

    Args:
        make: gives the queryset, without `select_related`, for a shape and values by name. The SQL may
            depend on the shape and on nothing else: not on a value, nor on whether there is one, nor on
            the time of day.

    Raises, when it is first asked with a shape:
        ValueError: the SQL depends on more than that.
    """

    def __init__(self, make: Callable[..., QuerySet]) -> None:
        self._make = make
        self._statement = lru_cache(MAX_STATEMENTS)(self._compose)

    def first(self, shape: Hashable = None, **values: Value) -> Any:
        """The first row, as the ORM gives it; none if there is no row."""
        return next(iter(self.rows(shape, **values)), None)

    def rows(self, shape: Hashable = None, **values: Value) -> list[Any]:
        """All rows, as the ORM gives them: instances with their annotations, or tuples of a `values_list`."""
        own = connections[DEFAULT_DB_ALIAS]
        statement = self._statement(
            own.vendor, shape, tuple((name, type(value)) for name, value in values.items())
        )
        params = list(statement.params)
        for place, name in statement.places:
            params[place] = _adapted(values[name], own)
        with own.cursor() as cursor:
            cursor.execute(statement.sql, params)
            found = cursor.fetchall()
        return list(_built(statement, found))

    def _compose(self, vendor: str, shape: Hashable, kinds: Iterable[tuple[str, type]]) -> _Statement:
        own = connections[DEFAULT_DB_ALIAS]
        statement, other = (self._compose_once(own, shape, dict(kinds)) for _ in range(2))
        if not statement.is_like(other):
            raise ValueError("The query depends on more than its shape and its values.")
        return statement

    def _compose_once(self, own: BaseDatabaseWrapper, shape: Hashable, kinds: dict[str, type]) -> _Statement:
        stand_ins = {name: _stand_in(kind) for name, kind in kinds.items()}
        queryset = self._make(shape, **stand_ins)
        compiler = queryset.query.get_compiler(connection=own)
        sql, params = compiler.as_sql()
        adapted = {_adapted(value, own): name for name, value in stand_ins.items()}
        places = tuple((place, adapted[param]) for place, param in enumerate(params) if param in adapted)
        unused = stand_ins.keys() - {name for _, name in places}
        if unused:
            raise ValueError(f"The query does not use {', '.join(sorted(unused))}.")
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        gives_instances = queryset._iterable_class is ModelIterable
        return _Statement(sql, tuple(params), places, compiler, converters, gives_instances)


def _built(statement: _Statement, found: list[Sequence[Any]]) -> Iterator[Any]:
    """What `ModelIterable` and `ValuesListIterable` of Django make of rows."""
    compiler = statement.compiler
    rows = compiler.apply_converters(found, statement.converters)
    if not statement.gives_instances:
        yield from map(tuple, rows)
        return
    model: type[Model] = compiler.klass_info["model"]
    columns = compiler.klass_info["select_fields"]
    start, stop = columns[0], columns[-1] + 1
    names = [column.target.attname for column, *_ in compiler.select[start:stop]]
    for row in rows:
        instance = model.from_db(DEFAULT_DB_ALIAS, names, row[start:stop])
        for name, place in compiler.annotation_col_map.items():
            setattr(instance, name, row[place])
        yield instance


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
