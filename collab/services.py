"""Writing rooms: each function is one transaction, authorizes, writes, and announces on commit.

Whoever changes what others may do in a room first locks its row, so that the caller's own role and
the number of owners can't move before the change is committed.
"""

from __future__ import annotations

from typing import TypedDict, Unpack
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import services as accounts
from accounts.epochs import raise_access_epoch
from accounts.errors import AlreadyMemberError, LastOwnerError, NotFoundError
from accounts.models import User
from accounts.selectors import access_organization, get_active_user
from collab.models import Room, RoomHead, RoomMember, RoomRole
from collab.policies import RoomAbility
from collab.selectors import access_room


class RoomChanges(TypedDict, total=False):
    """What `update_room` may change; what is absent stays."""

    name: str
    organization_role: RoomRole | None


@transaction.atomic
def create_room(*, actor: User, organization_id: UUID, name: str) -> Room:
    """Make an empty room; the actor becomes its first owner.

    Raises:
        NotFoundError: no such organization, or the actor is not a member of it.
        PermissionDeniedError: the actor is a guest there.
    """
    # Locked, or the organization could be deleted between the check and the commit.
    accounts.lock_organization(organization_id)
    organization = access_organization(actor, organization_id, needs="create_rooms")
    room = Room.objects.create(organization=organization, name=name)
    RoomHead.objects.create(room=room)
    RoomMember.objects.create(room=room, user=actor, role=RoomRole.OWNER)
    return room


@transaction.atomic
def update_room(*, actor: User, room_id: UUID, **changes: Unpack[RoomChanges]) -> Room:
    """Change the name, or the role that every member of the organization has.

    Raises:
        NotFoundError, PermissionDeniedError: see `selectors.access_room`.
    """
    room = _lock_room(actor, room_id, needs="manage")
    moves_access = changes.get("organization_role", room.organization_role) != room.organization_role
    for field, value in changes.items():
        setattr(room, field, value)
    room.save(update_fields=list(changes))
    if moves_access:
        raise_access_epoch(Room, room.pk)
    return room


@transaction.atomic
def trash_room(*, actor: User, room_id: UUID) -> None:
    """Put a room in the trash: from now on nobody has access, the document stays.

    Raises:
        NotFoundError, PermissionDeniedError: see `selectors.access_room`.
    """
    room = _lock_room(actor, room_id, needs="delete")
    room.trashed_at = timezone.now()
    room.save(update_fields=["trashed_at"])
    raise_access_epoch(Room, room.pk)


@transaction.atomic
def restore_room(*, actor: User, room_id: UUID) -> Room:
    """Take a room out of the trash, with the members it had; no change if it is not in there.

    Raises:
        NotFoundError: no such room, or the actor could not read it.
        PermissionDeniedError: the actor could not delete it either.
    """
    _lock(room_id)
    room = access_room(actor, room_id, needs="delete", even_trashed=True)
    room.trashed_at = None
    room.save(update_fields=["trashed_at"])
    raise_access_epoch(Room, room.pk)
    return room


@transaction.atomic
def add_room_member(
    *, actor: User, room_id: UUID, role: RoomRole, email: str | None = None, user_id: UUID | None = None
) -> RoomMember:
    """Give the account with this e-mail address or id a role, from whatever organization it is.

    Raises:
        NotFoundError, PermissionDeniedError: see `selectors.access_room`.
        UnknownUserError, AlreadyMemberError: this account can't be added.
    """
    room = _lock_room(actor, room_id, needs="share")
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
    member = _get_member(_lock_room(actor, room_id, needs="share"), member_id)
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
    member = _get_member(_lock_room(actor, room_id, needs="share"), member_id)
    _keep_an_owner(member)
    member.delete()
    raise_access_epoch(Room, room_id)


@transaction.atomic
def delete_organization(*, actor: User, organization_id: UUID) -> None:
    """Delete an organization with all its rooms and their documents, for good.

    Raises:
        NotFoundError, PermissionDeniedError: see `accounts.services.delete_organization`.
    """
    accounts.lock_organization(organization_id)
    # In the order in which others lock, or the two would wait for each other: the log's writers take
    # the heads, whoever changes members takes the room and then its members.
    heads = RoomHead.objects.filter(room__organization=organization_id)
    list(heads.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    rooms = Room.objects.filter(organization=organization_id)
    list(rooms.select_for_update().order_by("pk").values_list("pk"))
    accounts.delete_organization(actor=actor, organization_id=organization_id)


@transaction.atomic
def remove_organization_member(*, actor: User, organization_id: UUID, member_id: UUID) -> None:
    """Take someone out of an organization and out of all its rooms.

    A room may lose its last owner by this: the owners and admins of the organization own it anyway.

    Raises:
        NotFoundError, PermissionDeniedError, LastOwnerError: see
            `accounts.services.remove_organization_member`.
    """
    user_id = accounts.remove_organization_member(
        actor=actor, organization_id=organization_id, member_id=member_id
    )
    RoomMember.objects.filter(room__organization_id=organization_id, user_id=user_id).delete()


def _lock(room_id: UUID) -> None:
    # Not the stronger lock: that would also wait for whoever only refers to the row by foreign key.
    Room.objects.select_for_update(no_key=True).filter(pk=room_id).first()


def _lock_room(actor: User, room_id: UUID, *, needs: RoomAbility) -> Room:
    _lock(room_id)
    return access_room(actor, room_id, needs=needs)


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
