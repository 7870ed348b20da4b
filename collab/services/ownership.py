"""Handing a room on, and giving up what one has in it."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.audit import AuditAction, record
from accounts.epochs import raise_access_epoch
from accounts.errors import InvalidError, NotAMemberError, UnknownUserError
from accounts.models import User
from accounts.services.locks import lock_active_user
from collab.models import AccessRequestStatus, Room, RoomMember, RoomRole, ShareLinkGrant
from collab.policies import access_for
from collab.selectors import access_room
from collab.services.locks import lock_room
from collab.services.members import keep_an_owner


@transaction.atomic
def transfer_room(*, actor: User, room_id: UUID, user_id: UUID) -> Room:
    """Make somebody who can read the room its owner; the actor, if they own it by name, stays as editor.

    Raises:
        NotFoundError, PermissionDeniedError: see `selectors.access_room`.
        UnknownUserError: nobody who can read the room has this id.
        InvalidError: it is the actor's.
    """
    room = lock_room(actor, room_id, needs="share")
    if user_id == actor.pk:
        message = "A room is transferred to somebody else."
        raise InvalidError(message, fields={"user": [message]})
    user = lock_active_user(pk=user_id)
    if user is None or not access_for(user, room).abilities.read:
        raise UnknownUserError("user")
    room.members.filter(email=user.email).delete()  # an invitation gives way, as where someone is added by id
    RoomMember.objects.update_or_create(room=room, user=user, defaults={"role": RoomRole.OWNER})
    room.members.filter(user=actor).update(role=RoomRole.EDITOR)
    raise_access_epoch(Room, room_id)
    _record(AuditAction.ROOM_TRANSFERRED, actor, room, user_id)
    return access_room(actor, room_id)


@transaction.atomic
def leave_room(*, actor: User, room_id: UUID) -> None:
    """Give up one's membership, what links gave, and a request that is not answered yet.

    What comes from a group or from the organization stays.

    Raises:
        NotFoundError: see `selectors.access_room`.
        NotAMemberError: there is nothing of one's own to give up.
        LastOwnerError: the room would be left without an owner.
    """
    room = lock_room(actor, room_id, needs="read")
    member = room.members.filter(user=actor).first()
    by_link = ShareLinkGrant.objects.filter(link__room=room, user=actor)
    if member is None and not by_link.exists():
        raise NotAMemberError
    if member is not None:
        keep_an_owner(member)
        member.delete()
    by_link.delete()
    room.access_requests.filter(user=actor, status=AccessRequestStatus.PENDING).delete()
    raise_access_epoch(Room, room_id)
    _record(AuditAction.ROOM_MEMBER_REMOVED, actor, room, actor.pk)


def _record(action: AuditAction, actor: User, room: Room, subject_id: UUID) -> None:
    record(
        action,
        organization_id=room.organization_id,
        actor=actor,
        room_id=room.pk,
        subject_id=subject_id,
    )
