"""Statements for many rows: what they lock, they give."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import transaction

from collab.models import RoomHead
from collab.rows import lock_rows, update_rows
from tests.factories import make_room

pytestmark = pytest.mark.django_db


def test_lock_rows_gives_the_rows_that_are_there_by_id() -> None:
    first, second, other = (RoomHead.objects.get(pk=make_room().pk) for _ in range(3))
    update_rows(RoomHead, "seq", {first.pk: 3, second.pk: 4, other.pk: 5})
    with transaction.atomic():
        assert lock_rows(RoomHead, "seq", {first.pk, second.pk, uuid4()}) == {first.pk: 3, second.pk: 4}


def test_lock_rows_of_no_ids_gives_none() -> None:
    with transaction.atomic():
        assert lock_rows(RoomHead, "seq", []) == {}
