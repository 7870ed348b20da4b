"""Asking for access to a room, and the answer."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from accounts.audit import AuditAction, record
from accounts.epochs import raise_access_epoch
from accounts.errors import (
    AlreadyAnsweredError,
    AlreadyHasAccessError,
    AlreadyRequestedError,
    NotFoundError,
    UnknownUserError,
)
from accounts.models import User
from accounts.services.locks import lock_active_user
from collab.models import AccessRequest, AccessRequestStatus, Room, RoomMember, RoomRole
from collab.policies import access_for, is_stronger
from collab.selectors import access_room_to_ask
from collab.services.locks import lock, lock_room
from collab.signals import access_request_answered, access_requested


@transaction.atomic
def request_access(*, actor: User, room_id: UUID, role: RoomRole, message: str = "") -> AccessRequest:
    """Ask for a role in a room.

    Raises:
        NotFoundError: see `selectors.access_room_to_ask`.
        AlreadyHasAccessError: the actor has this role, or a stronger one.
        AlreadyRequestedError: a request of theirs is not answered yet.
    """
    lock(room_id)
    room = access_room_to_ask(actor, room_id)
    if not is_stronger(role, access_for(actor, room).role):
        raise AlreadyHasAccessError(fields={"role": [AlreadyHasAccessError.default_detail]})
    if room.access_requests.filter(user=actor, status=AccessRequestStatus.PENDING).exists():
        raise AlreadyRequestedError
    request = AccessRequest.objects.create(room=room, user=actor, role=role, message=message)
    _announce(access_requested, request)
    _record(AuditAction.ACCESS_REQUESTED, actor, request)
    return request


@transaction.atomic
def accept_access_request(
    *, actor: User, room_id: UUID, request_id: UUID, role: RoomRole | None = None
) -> AccessRequest:
    """Give whoever asked the role they asked for, or another; what they have as a member is never lowered.

    Raises:
        NotFoundError, PermissionDeniedError: no such request, or see `selectors.access_room`.
        AlreadyAnsweredError: it was answered before.
        UnknownUserError: the account was deactivated.
    """
    room = lock_room(actor, room_id, needs="share")
    request = _get_pending(room, request_id)
    user = lock_active_user(pk=request.user_id)
    if user is None:
        raise UnknownUserError("user")
    request.role = role or request.role
    _give(room, user, RoomRole(request.role))
    _answer(request, actor, AccessRequestStatus.ACCEPTED)
    _record(AuditAction.ACCESS_REQUEST_ACCEPTED, actor, request)
    return request


@transaction.atomic
def decline_access_request(*, actor: User, room_id: UUID, request_id: UUID) -> AccessRequest:
    """Answer no; they may ask again.

    Raises:
        NotFoundError, PermissionDeniedError: no such request, or see `selectors.access_room`.
        AlreadyAnsweredError: it was answered before.
    """
    request = _get_pending(lock_room(actor, room_id, needs="share"), request_id)
    _answer(request, actor, AccessRequestStatus.DECLINED)
    _record(AuditAction.ACCESS_REQUEST_DECLINED, actor, request)
    return request


def _get_pending(room: Room, request_id: UUID) -> AccessRequest:
    request = room.access_requests.select_related("user", "room").filter(pk=request_id).first()
    if request is None:
        raise NotFoundError("Access request not found.")
    if request.status != AccessRequestStatus.PENDING:
        raise AlreadyAnsweredError
    return request


def _give(room: Room, user: User, role: RoomRole) -> None:
    # An invitation of their address gives way, as where someone is added by id.
    room.members.filter(email=user.email).delete()
    member, is_new = RoomMember.objects.get_or_create(room=room, user=user, defaults={"role": role})
    if not is_new and is_stronger(role, member.role):
        member.role = role
        member.save(update_fields=["role"])
    raise_access_epoch(Room, room.pk)


def _answer(request: AccessRequest, actor: User, status: AccessRequestStatus) -> None:
    request.status = status
    request.answered_by = actor
    request.answered_at = timezone.now()
    request.save(update_fields=["role", "status", "answered_by", "answered_at"])
    _announce(access_request_answered, request)


def _announce(signal: Signal, request: AccessRequest) -> None:
    # Robust: the change is committed, so a receiver that fails can't be allowed to fail the request.
    transaction.on_commit(partial(signal.send_robust, sender=AccessRequest, access_request=request))


def _record(action: AuditAction, actor: User, request: AccessRequest) -> None:
    record(
        action,
        organization_id=request.room.organization_id,
        actor=actor,
        room_id=request.room_id,
        subject_id=request.user_id,
        request=str(request.pk),
        role=str(request.role),
    )
