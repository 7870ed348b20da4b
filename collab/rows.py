"""Many rows in one statement, whose text does not change with their number.

The ORM writes a statement anew for every number of rows, with a parameter for each value: half of what a
commit of the log costs is spent on its text, and every connection keeps the last of them. These are
composed once. What is not PostgreSQL is SQLite, whose driver is given them without Django's cursors: they are
more work than the statements, and after a pause all of it has to come back into the processor's caches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

from collab.ids import ids_of


@contextmanager
def write_transaction() -> Iterator[None]:
    """What the functions of this module write inside is written as a whole, or not at all.

    On SQLite it does without `atomic`, for the same reason as without cursors: for Django, there is no
    transaction then.
    """
    own = _connection()
    if own.vendor == "postgresql" or own.in_atomic_block:
        with transaction.atomic():
            yield
        return
    with own.wrap_database_errors:
        own.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            own.connection.execute("COMMIT")
        except BaseException:
            own.connection.rollback()
            raise


def lock_rows(model: type[Model], column: str, ids: Iterable[UUID]) -> dict[UUID, Any]:
    """One column of the rows with these ids, by id, locked in the order of the ids against other writers.

    To be called in a transaction. On PostgreSQL rows that refer to them may still be added; SQLite has one
    writer anyway.
    """
    own = _connection()
    statement = _locking(own.vendor, model, column)
    if own.vendor == "postgresql":
        with own.cursor() as cursor:
            cursor.execute(statement, [list(ids)])
            return dict(cursor.fetchall())
    wanted = ids_of(ids)
    with own.wrap_database_errors:
        return wanted.found(own.connection.execute(statement, [wanted.json]))


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
    columns = zip(*rows, strict=True)
    prepared = [_prepared(own, field, column) for field, column in zip(fields, columns, strict=True)]
    if own.vendor == "postgresql":
        with own.cursor() as cursor:
            cursor.execute(statement, prepared)
    else:
        with own.wrap_database_errors:
            own.connection.executemany(statement, zip(*prepared, strict=True))


def _prepared(own: BaseDatabaseWrapper, field: Field[Any, Any], values: Sequence[Any]) -> list[Any]:
    """Values as the driver takes them; one that is repeated, as a date is, is made once."""
    prepared = []
    last = made = None
    for value in values:
        if value is not last:
            last, made = value, field.get_db_prep_value(value, own)
        prepared.append(made)
    return prepared


# -- statements; names are the models', values are parameters


@cache
def _locking(vendor: str, model: type[Model], column: str) -> str:
    key, name = (_quoted(field) for field in _fields(model, ("pk", column)))
    select = f"SELECT {key}, {name} FROM {_table(model)} WHERE {key}"  # noqa: S608
    if vendor == "postgresql":
        return f"{select} = ANY(%s::uuid[]) ORDER BY {key} FOR NO KEY UPDATE"
    return f"{select} IN (SELECT value FROM json_each(?))"  # noqa: S608


@cache
def _insertion(vendor: str, model: type[Model], columns: tuple[str, ...]) -> str:
    fields = _fields(model, columns)
    insert = f"INSERT INTO {_table(model)} ({', '.join(map(_quoted, fields))})"
    if vendor == "postgresql":
        return f"{insert} SELECT * FROM {_arrays(fields)}"  # noqa: S608
    return f"{insert} VALUES ({', '.join('?' * len(fields))})"


@cache
def _change(vendor: str, model: type[Model], column: str) -> str:
    fields = field, key = _fields(model, (column, "pk"))
    update = f"UPDATE {_table(model)} SET {_quoted(field)}"  # noqa: S608
    if vendor == "postgresql":
        given = f"{_arrays(fields)} AS given (value, id)"
        return f"{update} = given.value FROM {given} WHERE {_quoted(key)} = given.id"
    return f"{update} = ? WHERE {_quoted(key)} = ?"


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
    """This thread's, open; `django.db.connection` finds it again for every attribute."""
    own = connections[DEFAULT_DB_ALIAS]
    own.ensure_connection()
    return own
