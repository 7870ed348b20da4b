"""Many rows in one statement, whose text does not change with their number.

The ORM writes a statement anew for every number of rows, with a parameter for each value: half of what a
commit of the log costs is spent on its text, and every connection keeps the last of them. These are
composed once. What is not PostgreSQL is SQLite.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model


def lock_rows(model: type[Model], column: str, ids: Iterable[UUID]) -> dict[UUID, Any]:
    """One column of the rows with these ids, by id, locked in the order of the ids against other writers.

    To be called in a transaction. On PostgreSQL rows that refer to them may still be added; SQLite has one
    writer anyway.
    """
    own = _connection()
    is_postgresql = own.vendor == "postgresql"
    statement = _locking(own.vendor, model, column)
    with own.cursor() as cursor:
        cursor.execute(statement, [list(ids) if is_postgresql else json.dumps([each.hex for each in ids])])
        rows = cursor.fetchall()
    return dict(rows) if is_postgresql else {UUID(row_id): value for row_id, value in rows}


def insert_rows(
    model: type[Model],
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    *,
    ignore_conflicts: bool = False,
) -> None:
    """Insert rows of a table without defaults of its own.

    Args:
        columns: names of fields, in the order of the values in each row.
        ignore_conflicts: rows that are there already stay as they are.
    """
    own = _connection()
    statement = _insertion(own.vendor, model, columns)
    end = " ON CONFLICT DO NOTHING" if ignore_conflicts else ""
    _execute(own, statement + end, _fields(model, columns), rows)


def update_rows(model: type[Model], column: str, values: Mapping[Any, Any]) -> None:
    """Set one column of rows that are there, by primary key."""
    own = _connection()
    rows = [(value, row_id) for row_id, value in values.items()]
    _execute(own, _change(own.vendor, model, column), _fields(model, (column, "pk")), rows)


def _execute(
    own: BaseDatabaseWrapper, statement: str, fields: Sequence[Field[Any, Any]], rows: Sequence[Sequence[Any]]
) -> None:
    if not rows:
        return
    prepared = [
        [field.get_db_prep_value(value, own) for value in column]
        for field, column in zip(fields, zip(*rows, strict=True), strict=True)
    ]
    with own.cursor() as cursor:
        if own.vendor == "postgresql":
            cursor.execute(statement, prepared)
        else:
            cursor.executemany(statement, list(zip(*prepared, strict=True)))


# -- statements; names are the models', values are parameters


@cache
def _locking(vendor: str, model: type[Model], column: str) -> str:
    key, name = (_quoted(field) for field in _fields(model, ("pk", column)))
    select = f"SELECT {key}, {name} FROM {_table(model)} WHERE {key}"  # noqa: S608
    if vendor == "postgresql":
        return f"{select} = ANY(%s::uuid[]) ORDER BY {key} FOR NO KEY UPDATE"
    return f"{select} IN (SELECT value FROM json_each(%s))"  # noqa: S608


@cache
def _insertion(vendor: str, model: type[Model], columns: tuple[str, ...]) -> str:
    fields = _fields(model, columns)
    insert = f"INSERT INTO {_table(model)} ({', '.join(map(_quoted, fields))})"
    if vendor == "postgresql":
        return f"{insert} SELECT * FROM {_arrays(fields)}"  # noqa: S608
    return f"{insert} VALUES ({', '.join(['%s'] * len(fields))})"


@cache
def _change(vendor: str, model: type[Model], column: str) -> str:
    fields = field, key = _fields(model, (column, "pk"))
    update = f"UPDATE {_table(model)} SET {_quoted(field)}"  # noqa: S608
    if vendor == "postgresql":
        given = f"{_arrays(fields)} AS given (value, id)"
        return f"{update} = given.value FROM {given} WHERE {_quoted(key)} = given.id"
    return f"{update} = %s WHERE {_quoted(key)} = %s"


def _arrays(fields: Sequence[Field[Any, Any]]) -> str:
    own = _connection()
    types = (field.rel_db_type(own) if field.is_relation else field.db_type(own) for field in fields)
    return f"unnest({', '.join(f'%s::{kind}[]' for kind in types)})"


@cache
def _fields(model: type[Model], names: tuple[str, ...]) -> tuple[Field[Any, Any], ...]:
    return tuple(_field(model, name) for name in names)


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    if not isinstance(field, Field):
        raise TypeError(f"{name} of {model.__name__} is no column.")
    return field


def _table(model: type[Model]) -> str:
    return _connection().ops.quote_name(model._meta.db_table)


def _quoted(field: Field[Any, Any]) -> str:
    return _connection().ops.quote_name(str(field.column))


def _connection() -> BaseDatabaseWrapper:
    """This thread's; `django.db.connection` finds it again for every attribute."""
    return connections[DEFAULT_DB_ALIAS]
