"""Documents that come from another server: a room with what it held, or more of it."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.audit import AuditAction, record
from accounts.models import Organization, User
from accounts.selectors import access_organization
from accounts.services.locks import lock_organization
from collab.models import Checkpoint, Room, RoomHead, RoomMember, RoomRole


@transaction.atomic
def import_room(
    *,
    owner: User,
    organization_id: UUID,
    room_id: UUID,
    name: str,
    organization_role: RoomRole | None,
    update: bytes,
    state_vector: bytes,
) -> bool:
    """Make a room that holds a document, unless there is one with this id. For operators.

    Args:
        update, state_vector: the whole document; they have passed the gate.

    Returns:
        whether it was made.

    Raises:
        NotFoundError: no such organization, or the owner is not a member of it.
        PermissionDeniedError: the owner is a guest there.
    """
    # Locked, so that of two imports that run at once the second one sees what the first has made.
    lock_organization(organization_id)
    organization: Organization = access_organization(owner, organization_id, needs="create_rooms")
    if Room.objects.filter(pk=room_id).exists():
        return False
    room = Room.objects.create(
        pk=room_id, organization=organization, name=name, organization_role=organization_role
    )
    RoomHead.objects.create(room=room, seq=1)
    Checkpoint.objects.create(room=room, seq=1, data=update, state_vector=state_vector)
    RoomMember.objects.create(room=room, user=owner, role=RoomRole.OWNER)
    record(
        AuditAction.ROOM_CREATED,
        organization_id=organization_id,
        actor=None,
        room_id=room_id,
        subject_id=owner.pk,
        imported=True,
        organization_role=organization_role,
    )
    return True


def record_import(room: Room) -> None:
    """Write down that more was imported into a room; call it in the transaction that does it."""
    record(
        AuditAction.ROOM_CHANGED,
        organization_id=room.organization_id,
        actor=None,
        room_id=room.pk,
        fields="document",
        imported=True,
    )
