"""Who a room is shared with by name."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.epochs import raise_access_epoch
from accounts.errors import AlreadyMemberError, LastOwnerError, NotFoundError
from accounts.models import User
from accounts.selectors import get_active_user
from collab.models import Room, RoomMember, RoomRole
from collab.services.locks import lock_room


@transaction.atomic
def add_room_member(
    *, actor: User, room_id: UUID, role: RoomRole, email: str | None = None, user_id: UUID | None = None
) -> RoomMember:
    """Give the account with this e-mail address or id a role, from whatever organization it is.

    Raises:
        NotFoundError, PermissionDeniedError: see `selectors.access_room`.
        UnknownUserError, AlreadyMemberError: this account can't be added.
    """
    room = lock_room(actor, room_id, needs="share")
    user = get_active_user(email=email, user_id=user_id)
    if room.members.filter(user=user).exists():
        field = "user" if email is None else "email"
        raise AlreadyMemberError(fields={field: [AlreadyMemberError.default_detail]})
    member = RoomMember.objects.create(room=room, user=user, role=role)
    raise_access_epoch(Room, room.pk)
    return member


@transaction.atomic
def change_room_member_role(*, actor: User, room_id: UUID, member_id: UUID, role: RoomRole) -> RoomMember:
    """Give a member another role.

    Raises:
        NotFoundError, PermissionDeniedError: no such member, or see `selectors.access_room`.
        LastOwnerError: the room would be left without an owner.
    """
    member = _get_member(lock_room(actor, room_id, needs="share"), member_id)
    if role != RoomRole.OWNER:
        _keep_an_owner(member)
    member.role = role
    member.save(update_fields=["role"])
    raise_access_epoch(Room, room_id)
    return member


@transaction.atomic
def remove_room_member(*, actor: User, room_id: UUID, member_id: UUID) -> None:
    """Take a membership away; what the organization gives to all its members stays.

    Raises:
        NotFoundError, PermissionDeniedError: no such member, or see `selectors.access_room`.
        LastOwnerError: the room would be left without an owner.
    """
    member = _get_member(lock_room(actor, room_id, needs="share"), member_id)
    _keep_an_owner(member)
    member.delete()
    raise_access_epoch(Room, room_id)


def _get_member(room: Room, member_id: UUID) -> RoomMember:
    member = room.members.select_related("user").filter(pk=member_id).first()
    if member is None:
        raise NotFoundError("Member not found.")
    return member


def _keep_an_owner(member: RoomMember) -> None:
    """A deactivated owner does not count: nobody could act as them."""
    others = RoomMember.objects.filter(
        room_id=member.room_id, role=RoomRole.OWNER, user__is_active=True
    ).exclude(pk=member.pk)
    if member.role == RoomRole.OWNER and not others.exists():
        raise LastOwnerError
