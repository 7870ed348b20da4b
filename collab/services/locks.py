"""The lock that every change of a room's access takes first."""

from __future__ import annotations

from uuid import UUID

from accounts.models import User
from collab.models import Room
from collab.policies import RoomAbility
from collab.selectors import access_room


def lock(room_id: UUID) -> None:
    # Not the stronger lock: that would also wait for whoever only refers to the row by foreign key.
    Room.objects.select_for_update(no_key=True).filter(pk=room_id).first()


def lock_room(actor: User, room_id: UUID, *, needs: RoomAbility) -> Room:
    lock(room_id)
    return access_room(actor, room_id, needs=needs)
