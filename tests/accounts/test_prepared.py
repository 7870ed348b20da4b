"""A prepared query answers as the ORM does, whatever values it is asked with, and is composed once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db.models import Exists, OuterRef, Q, QuerySet, UUIDField, Value
from django.utils import timezone

from accounts.prepared import PreparedQuery
from collab.models import Room, RoomMember
from tests.factories import add_to_room, make_room, make_user

pytestmark = pytest.mark.django_db

COLUMNS = ("pk", "name", "created_at", "trashed_at", "is_member")


def rooms_of(shape: object, *, room_id: UUID, user_id: UUID, before: datetime, name: str) -> QuerySet:
    members = RoomMember.objects.filter(room=OuterRef("pk"), user=user_id)
    rooms = Room.objects.filter(pk=room_id, created_at__lt=before, name=name)
    return rooms.annotate(is_member=Exists(members)).values_list(*COLUMNS)


def shape_without_user(shape: object, *, room_id: UUID, user_id: UUID) -> QuerySet:
    return Room.objects.filter(pk=room_id).values_list("pk")


def test_prepared_query_answers_like_the_orm_for_every_value(django_assert_num_queries) -> None:
    query = PreparedQuery(rooms_of)
    users, rooms = [make_user() for _ in range(2)], [make_room(name=name) for name in ("one", "two")]
    add_to_room(rooms[0], users[0], "viewer")
    times = [datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)]
    seen = set()
    for user in users:
        for room_id in (rooms[0].pk, rooms[1].pk, uuid4()):
            for before in times:
                values = {"room_id": room_id, "user_id": user.pk, "before": before, "name": "one"}
                expected = rooms_of(None, **values).first()
                with django_assert_num_queries(1):
                    assert query.first(**values) == expected
                seen.add(expected)
    assert len(seen) == 3


def test_prepared_query_without_a_row_is_none() -> None:
    query = PreparedQuery(rooms_of)
    values = {"user_id": uuid4(), "before": datetime.now(UTC), "name": 'it\'s "quoted" %s'}
    assert query.first(room_id=uuid4(), **values) is None


def test_prepared_query_that_does_not_use_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="user_id"):
        PreparedQuery(shape_without_user).first(room_id=uuid4(), user_id=uuid4())


def test_prepared_query_gives_instances_with_their_annotations() -> None:
    def make(shape: object, *, name: str, user_id: UUID) -> QuerySet:
        return rooms_with_user(user_id).filter(name=name).order_by("pk")

    user = make_user()
    made = sorted((make_room(name="one") for _ in range(3)), key=lambda room: room.pk)
    add_to_room(made[1], user, "viewer")
    rooms = PreparedQuery(make).rows(name="one", user_id=user.pk)
    assert rooms == made
    assert [room.is_member for room in rooms] == [False, True, False]
    assert [room.granted_user_id for room in rooms] == [user.pk] * 3
    for room, expected in zip(rooms, Room.objects.filter(name="one").order_by("pk"), strict=True):
        assert {**vars(room), "_state": None} == {
            **vars(expected),
            "_state": None,
            "is_member": room.is_member,
            "granted_user_id": user.pk,
        }
        assert (room._state.adding, room._state.db) == (False, "default")


def rooms_with_user(user_id: UUID) -> QuerySet:
    members = RoomMember.objects.filter(room=OuterRef("pk"), user=user_id)
    return Room.objects.annotate(
        is_member=Exists(members), granted_user_id=Value(user_id, output_field=UUIDField())
    )


def test_prepared_query_is_composed_only_for_a_new_shape() -> None:
    composed = []

    def make(shape: object, **values: Any) -> QuerySet:
        composed.append(shape)
        return rooms_of(shape, **values)

    query = PreparedQuery(make)
    for shape in ("a", "b"):
        query.first(shape, room_id=uuid4(), user_id=uuid4(), before=datetime.now(UTC), name="x")
    first = list(composed)
    for shape in ("b", "a"):
        query.first(shape, room_id=uuid4(), user_id=uuid4(), before=datetime.now(UTC), name="x")
    assert composed == first
    assert set(composed) == {"a", "b"}


@pytest.mark.parametrize(
    "condition",
    [
        lambda room_id: Q(created_at__lt=timezone.now()),
        lambda room_id: Q(created_at__isnull=room_id.int % 2 == 0) & Q(name=str(room_id)),
    ],
    ids=["the time of day", "a value in another form"],
)
def test_prepared_query_of_more_than_shape_and_values_is_refused(condition: Callable[[UUID], Q]) -> None:
    """What is composed once would never change again, such as the end of somebody's access."""

    def make(shape: object, *, room_id: UUID) -> QuerySet:
        return Room.objects.filter(condition(room_id), pk=room_id)

    with pytest.raises(ValueError, match="depends on more"):
        PreparedQuery(make).first(room_id=uuid4())
