"""Rooms themselves: made, renamed, put in the trash and taken out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.audit import AuditAction, record
from accounts.epochs import raise_access_epoch
from accounts.models import User
from accounts.selectors import access_organization
from accounts.services.locks import lock_organization
from accounts.versions import check_unchanged
from collab.models import Room, RoomHead, RoomMember, RoomRole
from collab.selectors import access_room
from collab.services.locks import dangerously_lock_room, lock, lock_room


class RoomChanges(TypedDict, total=False):
    """What `update_room` may change; what is absent stays."""

    name: str
    kind: str
    organization_role: RoomRole | None


@transaction.atomic
def create_room(*, actor: User, organization_id: UUID, name: str, kind: str = "") -> Room:
    """Make an empty room; the actor becomes its first owner.

    `kind`: see `Room.kind`.

    Raises:
        NotFoundError: no such organization, or the actor is not a member of it.
        PermissionDeniedError: the actor is a guest there.
    """
    # Locked, or the organization could be deleted between the check and the commit.
    lock_organization(organization_id)
    organization = access_organization(actor, organization_id, needs="create_rooms")
    room = Room.objects.create(organization=organization, name=name, kind=kind)
    RoomHead.objects.create(room=room)
    RoomMember.objects.create(room=room, user=actor, role=RoomRole.OWNER)
    record(AuditAction.ROOM_CREATED, organization_id=organization_id, actor=actor, room_id=room.pk)
    return room


@transaction.atomic
def update_room(
    *,
    actor: User,
    room_id: UUID,
    if_match: Collection[str] | None = None,
    **changes: Unpack[RoomChanges],
) -> Room:
    """Change the name, the kind, or the role that every member of the organization has.

    Raises:
        NotFoundError, PermissionDeniedError: see `selectors.access_room`.
        ChangedMeanwhileError: see `accounts.versions`.
    """
    room = lock_room(actor, room_id, needs="manage")
    check_unchanged(room, if_match)
    moves_access = changes.get("organization_role", room.organization_role) != room.organization_role
    for field, value in changes.items():
        setattr(room, field, value)
    room.save(update_fields=list(changes))
    if moves_access:
        raise_access_epoch(Room, room.pk)
    if changes:
        record(
            AuditAction.ROOM_CHANGED,
            organization_id=room.organization_id,
            actor=actor,
            room_id=room.pk,
            fields=", ".join(sorted(changes)),
            organization_role=room.organization_role,
        )
    return room


@transaction.atomic
def trash_room(*, actor: User, room_id: UUID, if_match: Collection[str] | None = None) -> None:
    """Put a room in the trash: from now on nobody has access, the document stays.

    Raises:
        NotFoundError, PermissionDeniedError: see `selectors.access_room`.
        ChangedMeanwhileError: see `accounts.versions`.
    """
    room = lock_room(actor, room_id, needs="delete")
    check_unchanged(room, if_match)
    _set_trashed(actor, room, is_trashed=True)


@transaction.atomic
def dangerously_trash_room(*, actor: User, room_id: UUID) -> None:
    """Put whatever room it is in the trash; no change if it is in there. For operators.

    Raises:
        NotFoundError: no such room.
    """
    room = dangerously_lock_room(room_id)
    if room.trashed_at is None:
        _set_trashed(actor, room, is_trashed=True, operator=True)


@transaction.atomic
def restore_room(*, actor: User, room_id: UUID) -> Room:
    """Take a room out of the trash, with the members it had; no change if it is not in there.

    Raises:
        NotFoundError: no such room, or the actor could not read it.
        PermissionDeniedError: the actor could not delete it either.
    """
    lock(room_id)
    room = access_room(actor, room_id, needs="delete", even_trashed=True)
    if room.trashed_at is not None:
        _set_trashed(actor, room, is_trashed=False)
    return room


@transaction.atomic
def dangerously_restore_room(*, actor: User, room_id: UUID) -> None:
    """Take whatever room it is out of the trash; no change if it is not in there. For operators.

    Raises:
        NotFoundError: no such room.
    """
    room = dangerously_lock_room(room_id)
    if room.trashed_at is not None:
        _set_trashed(actor, room, is_trashed=False, operator=True)


def _set_trashed(actor: User, room: Room, *, is_trashed: bool, **details: Any) -> None:
    room.trashed_at = timezone.now() if is_trashed else None
    room.save(update_fields=["trashed_at"])
    raise_access_epoch(Room, room.pk)
    record(
        AuditAction.ROOM_TRASHED if is_trashed else AuditAction.ROOM_RESTORED,
        organization_id=room.organization_id,
        actor=actor,
        room_id=room.pk,
        **details,
    )
