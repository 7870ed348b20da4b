"""Who a room is shared with by name: users, groups, and e-mail addresses that are invited."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts.audit import AuditAction, record
from accounts.epochs import raise_access_epoch
from accounts.errors import AlreadyMemberError, LastOwnerError, NotFoundError, UnknownUserError
from accounts.invitations import announce_member
from accounts.models import User
from accounts.selectors import of_address
from accounts.services.locks import lock_active_user, lock_group
from accounts.versions import check_unchanged
from collab.models import Room, RoomMember, RoomRole, ShareLinkGrant
from collab.services.locks import dangerously_lock_room, lock_room


@transaction.atomic
def add_room_member(
    *,
    actor: User,
    room_id: UUID,
    role: RoomRole,
    email: str | None = None,
    user_id: UUID | None = None,
    group_id: UUID | None = None,
) -> RoomMember:
    """Give somebody a role: a group of the room's organization, or anyone from whatever organization.

    An e-mail address without an account is invited, and one whose account was deactivated like it. An
    account that is named by its id takes the place of an invitation of its address.

    Args:
        email, user_id, group_id: one of them says who.

    Raises:
        NotFoundError, PermissionDeniedError: see `selectors.access_room`.
        UnknownUserError, UnknownGroupError, AlreadyMemberError: these can't be added.
    """
    room = lock_room(actor, room_id, needs="share")
    if group_id is not None:
        grantee = _group(room, group_id)
    elif email is not None:
        grantee = _address(room, email.strip().lower())
    else:
        grantee = _user(room, user_id)
    member = RoomMember.objects.create(room=room, role=role, **grantee)
    _raise_epoch_of(member)
    announce_member(member, actor)
    _record(AuditAction.ROOM_MEMBER_ADDED, actor, member, role=role.value)
    return member


@transaction.atomic
def change_room_member_role(
    *,
    actor: User,
    room_id: UUID,
    member_id: UUID,
    role: RoomRole,
    if_match: Collection[str] | None = None,
) -> RoomMember:
    """Give a member another role.

    Raises:
        NotFoundError, PermissionDeniedError: no such member, or see `selectors.access_room`.
        ChangedMeanwhileError: see `accounts.versions`.
        LastOwnerError: the room would be left without an owner.
    """
    member = _get_member(lock_room(actor, room_id, needs="share"), member_id)
    check_unchanged(member, if_match)
    if role != RoomRole.OWNER:
        keep_an_owner(member)
    previous, member.role = member.role, role
    member.save(update_fields=["role"])
    _raise_epoch_of(member)
    _record(AuditAction.ROOM_MEMBER_CHANGED, actor, member, role=role.value, previous_role=previous)
    return member


@transaction.atomic
def remove_room_member(
    *, actor: User, room_id: UUID, member_id: UUID, if_match: Collection[str] | None = None
) -> None:
    """Take a membership or an invitation away, and what links gave to the same person.

    What a group or the organization gives them stays, and a link that lives can be redeemed again.

    Raises:
        NotFoundError, PermissionDeniedError: no such member, or see `selectors.access_room`.
        ChangedMeanwhileError: see `accounts.versions`.
        LastOwnerError: the room would be left without an owner.
    """
    member = _get_member(lock_room(actor, room_id, needs="share"), member_id)
    check_unchanged(member, if_match)
    _remove(actor, member)


@transaction.atomic
def dangerously_remove_room_member(*, actor: User, room_id: UUID, member_id: UUID) -> None:
    """As `remove_room_member`, in whatever room, in the trash too; asks for no right. For operators.

    Raises:
        NotFoundError: no such member.
        LastOwnerError: the room would be left without an owner.
    """
    _remove(actor, _get_member(dangerously_lock_room(room_id), member_id), operator=True)


def _remove(actor: User, member: RoomMember, **details: Any) -> None:
    keep_an_owner(member)
    gone = Q(pk=member.pk)
    if member.user is not None:
        gone |= Q(email=member.user.email)  # or they could come back by an invitation from before
        ShareLinkGrant.objects.filter(link__room=member.room, user=member.user).delete()
    member.room.members.filter(gone).delete()
    _raise_epoch_of(member)
    _record(AuditAction.ROOM_MEMBER_REMOVED, actor, member, role=member.role, **details)


def _group(room: Room, group_id: UUID) -> dict[str, Any]:
    _check_is_new(room, "group", Q(group=group_id))
    return {"group": lock_group(group_id, organization_id=room.organization_id)}


def _address(room: Room, email: str) -> dict[str, Any]:
    _check_is_new(room, "email", of_address(email))
    user = lock_active_user(email=email)
    return {"user": user} if user else {"email": email}


def _user(room: Room, user_id: UUID | None) -> dict[str, Any]:
    user = lock_active_user(pk=user_id)
    if user is None:
        raise UnknownUserError("user")
    _check_is_new(room, "user", Q(user=user))
    room.members.filter(email=user.email).delete()
    return {"user": user}


def _check_is_new(room: Room, field: str, known: Q) -> None:
    if room.members.filter(known).exists():
        raise AlreadyMemberError(fields={field: [AlreadyMemberError.default_detail]})


def _get_member(room: Room, member_id: UUID) -> RoomMember:
    member = room.members.select_related("user", "group", "room").filter(pk=member_id).first()
    if member is None:
        raise NotFoundError("Member not found.")
    return member


def _raise_epoch_of(member: RoomMember) -> None:
    if member.email is None:
        raise_access_epoch(Room, member.room_id)


def _record(action: AuditAction, actor: User, member: RoomMember, **details: Any) -> None:
    record(
        action,
        organization_id=member.room.organization_id,
        actor=actor,
        room_id=member.room_id,
        subject_id=member.user_id or member.group_id,
        member=str(member.pk),
        **details,
    )


def keep_an_owner(member: RoomMember) -> None:
    """Who was deactivated, a group with nobody in it and an invitation own nothing: nobody could act as them.

    An invitation may therefore always go.
    """
    if member.role != RoomRole.OWNER or member.email is not None:
        return
    somebody = Q(user__is_active=True) | Q(group__members__member__user__is_active=True)
    others = RoomMember.objects.filter(somebody, room=member.room_id, role=RoomRole.OWNER)
    if not others.exclude(pk=member.pk).exists():
        raise LastOwnerError
