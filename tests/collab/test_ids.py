"""Many ids in a query: each has the same words, however many ids it asks for."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from collab.ids import IsAnyOf
from collab.models import Room
from tests.factories import make_room

pytestmark = pytest.mark.django_db


def test_rooms_with_any_of_the_ids_are_found() -> None:
    one, two, _ = make_room(), make_room(), make_room()
    assert set(Room.objects.filter(IsAnyOf("pk", [one.pk, uuid4(), two.pk]))) == {one, two}


def test_ids_of_another_table_are_found_by_the_column_named() -> None:
    room, _ = make_room(), make_room()
    assert Room.objects.get(IsAnyOf("organization", [room.organization_id])) == room


def test_no_ids_are_no_rows_without_a_query() -> None:
    make_room()
    with CaptureQueriesContext(connection) as queries:
        assert list(Room.objects.filter(IsAnyOf("pk", []))) == []
    assert len(queries) == 0


def test_statement_is_the_same_for_any_number_of_ids() -> None:
    statements = {
        str(Room.objects.filter(IsAnyOf("pk", ids)).query.sql_with_params()[0]) for ids in some_ids()
    }
    assert len(statements) == 1


def some_ids() -> list[list[object]]:
    return [[uuid4() for _ in range(count)] for count in (1, 2, 1000)]
