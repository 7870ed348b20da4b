"""Connections that are open now."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.audit import AuditAction, record
from accounts.epochs import announce_access_change
from accounts.errors import NotFoundError
from accounts.models import User
from collab.models import LiveConnection, Room
from collab.selectors import living_connections
from collab.services.locks import dangerously_lock_room, lock_room


@transaction.atomic
def kick(*, actor: User, room_id: UUID, connection_id: UUID) -> None:
    """Close one connection, in whatever process it is. It takes no access away: who has it may come back.

    Raises:
        NotFoundError, PermissionDeniedError: no such connection, or see `selectors.access_room`.
    """
    _kick(actor, lock_room(actor, room_id, needs="share"), connection_id)


@transaction.atomic
def dangerously_kick(*, actor: User, room_id: UUID, connection_id: UUID) -> None:
    """As `kick`, in whatever room; asks for no right. For operators.

    Raises:
        NotFoundError: no such connection.
    """
    _kick(actor, dangerously_lock_room(room_id), connection_id, operator=True)


def _kick(actor: User, room: Room, connection_id: UUID, **details: Any) -> None:
    connection = living_connections().filter(pk=connection_id, room=room, kicked_at__isnull=True).first()
    if connection is None:
        raise NotFoundError("Connection not found.")
    LiveConnection.objects.filter(pk=connection_id).update(kicked_at=timezone.now())
    announce_access_change(LiveConnection, connection_id)
    record(
        AuditAction.CONNECTION_KICKED,
        organization_id=room.organization_id,
        actor=actor,
        room_id=room.pk,
        subject_id=connection.user_id,
        connection=str(connection_id),
        **details,
    )
