"""Many rows in one statement, whose text does not change with their number.

The ORM writes a statement anew for every number of rows, with a parameter for each value: half of what a
commit of the log costs is spent on its text, and every connection keeps the last of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Field, Model


def insert_rows(
    model: type[Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    ignore_conflicts: bool = False,
) -> None:
    """Insert rows of a table without defaults of its own.

    Args:
        columns: names of fields, in the order of the values in each row.
        ignore_conflicts: rows that are there already stay as they are.
    """
    fields = [_field(model, name) for name in columns]
    names = ", ".join(_quoted(field) for field in fields)
    end = " ON CONFLICT DO NOTHING" if ignore_conflicts else ""
    _execute(
        fields,
        rows,
        postgresql=f"INSERT INTO {_table(model)} ({names}) SELECT * FROM {_arrays(fields)}{end}",  # noqa: S608
        sqlite=f"INSERT INTO {_table(model)} ({names}) VALUES ({', '.join(['%s'] * len(fields))}){end}",  # noqa: S608
    )


def update_rows(model: type[Model], column: str, values: Mapping[Any, Any]) -> None:
    """Set one column of rows that are there, by primary key."""
    key, field = _field(model, "pk"), _field(model, column)
    name, key_name = _quoted(field), _quoted(key)
    _execute(
        [field, key],
        [(value, row_id) for row_id, value in values.items()],
        postgresql=(
            f"UPDATE {_table(model)} SET {name} = given.value "  # noqa: S608
            f"FROM {_arrays([field, key])} AS given (value, id) WHERE {key_name} = given.id"
        ),
        sqlite=f"UPDATE {_table(model)} SET {name} = %s WHERE {key_name} = %s",  # noqa: S608
    )


def _execute(
    fields: Sequence[Field[Any, Any]], rows: Sequence[Sequence[Any]], *, postgresql: str, sqlite: str
) -> None:
    if not rows:
        return
    own = connections[DEFAULT_DB_ALIAS]  # `connection` finds it again for every attribute of every value
    prepared = [
        [field.get_db_prep_value(value, own) for value in column]
        for field, column in zip(fields, zip(*rows, strict=True), strict=True)
    ]
    with own.cursor() as cursor:
        if own.vendor == "postgresql":
            cursor.execute(postgresql, prepared)
        else:
            cursor.executemany(sqlite, list(zip(*prepared, strict=True)))


def _arrays(fields: Sequence[Field[Any, Any]]) -> str:
    types = (
        field.rel_db_type(connection) if field.is_relation else field.db_type(connection) for field in fields
    )
    return f"unnest({', '.join(f'%s::{kind}[]' for kind in types)})"


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    if not isinstance(field, Field):
        raise TypeError(f"{name} of {model.__name__} is no column.")
    return field


def _table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _quoted(field: Field[Any, Any]) -> str:
    return connection.ops.quote_name(str(field.column))
