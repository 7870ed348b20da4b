"""The locks that changes of rooms and of access to them take first."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from accounts.errors import NotFoundError
from accounts.models import User
from collab.models import Room, RoomHead
from collab.policies import RoomAbility
from collab.selectors import access_room


def lock(room_id: UUID) -> None:
    # Not the stronger lock: that would also wait for whoever only refers to the row by foreign key.
    Room.objects.select_for_update(no_key=True).filter(pk=room_id).first()


def lock_room(actor: User, room_id: UUID, *, needs: RoomAbility) -> Room:
    lock(room_id)
    return access_room(actor, room_id, needs=needs)


def dangerously_lock_room(room_id: UUID) -> Room:
    """Lock a room of whatever organization, in the trash too, and load it; asks for no right.

    Raises:
        NotFoundError: it does not exist.
    """
    lock(room_id)
    room = Room.objects.filter(pk=room_id).first()
    if room is None:
        raise NotFoundError("Room not found.")
    return room


def lock_rooms(rooms: QuerySet[Room]) -> None:
    """Lock several, in the order in which everybody does (see `accounts.services.locks`)."""
    rows = Room.objects.select_for_update(no_key=True).filter(pk__in=rooms.values("pk"))
    list(rows.order_by("pk").values_list("pk"))


def lock_documents(rooms: QuerySet[Room]) -> None:
    """Keep the logs of rooms from growing, to delete them: their heads, and then themselves."""
    heads = RoomHead.objects.select_for_update(of=("self",)).filter(room__in=rooms.values("pk"))
    list(heads.order_by("pk").values_list("pk"))
    lock_rooms(rooms)
