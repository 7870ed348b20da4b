"""The audit trail: who did what, to whom, when and from where; one chain of entries an organization.

An entry is written in the transaction of what it tells of, as its last lock: the end of the chain.
Each carries a digest of itself and of the one before it, so that a trail can be verified.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import AuditChain, AuditEntry, OrganizationMember, Origin, User

Detail = str | int | bool | None


class AuditAction(StrEnum):
    """Everything that is kept."""

    SIGNED_IN = "session.begun"
    SIGN_IN_FAILED = "session.refused"
    SIGNED_OUT = "session.ended"
    TICKET_REUSED = "ticket.reused"
    PASSWORD_CHANGED = "user.password_changed"  # noqa: S105  # a name or a sentence, no secret
    USER_DEACTIVATED = "user.deactivated"
    USER_ACTIVATED = "user.activated"
    USER_ERASED = "user.erased"
    ORGANIZATION_CREATED = "organization.created"
    ORGANIZATION_CHANGED = "organization.changed"
    ORGANIZATION_DELETED = "organization.deleted"
    ORGANIZATION_MEMBER_ADDED = "organization.member.added"
    ORGANIZATION_MEMBER_CHANGED = "organization.member.changed"
    ORGANIZATION_MEMBER_REMOVED = "organization.member.removed"
    INVITATION_TAKEN_UP = "invitation.taken_up"
    GROUP_CREATED = "group.created"
    GROUP_CHANGED = "group.changed"
    GROUP_DELETED = "group.deleted"
    GROUP_MEMBER_ADDED = "group.member.added"
    GROUP_MEMBER_REMOVED = "group.member.removed"
    ROOM_CREATED = "room.created"
    ROOM_CHANGED = "room.changed"
    ROOM_TRASHED = "room.trashed"
    ROOM_RESTORED = "room.restored"
    ROOM_TRANSFERRED = "room.transferred"
    ROOM_MEMBER_ADDED = "room.member.added"
    ROOM_MEMBER_CHANGED = "room.member.changed"
    ROOM_MEMBER_REMOVED = "room.member.removed"
    SHARE_LINK_CREATED = "share_link.created"
    SHARE_LINK_CHANGED = "share_link.changed"
    SHARE_LINK_DELETED = "share_link.deleted"
    SHARE_LINK_REDEEMED = "share_link.redeemed"
    ACCESS_REQUESTED = "access_request.made"
    ACCESS_REQUEST_ACCEPTED = "access_request.accepted"
    ACCESS_REQUEST_DECLINED = "access_request.declined"
    CONNECTION_KICKED = "connection.kicked"
    WRITE_DENIED = "write.denied"


@transaction.atomic
def record(
    action: AuditAction,
    *,
    organization_id: UUID,
    actor: User | Origin | None,
    room_id: UUID | None = None,
    subject_id: UUID | None = None,
    **details: Detail,
) -> AuditEntry:
    """Write an entry; call it last in a transaction, and for several organizations in order of their ids.

    Args:
        actor: who did it, and with `actor.origin` from where; from where alone, if it is not known who it
            was; none for the server itself.
        subject_id: the user, group or link it was done to.
        details: what else is worth knowing, such as a role; never a secret, never a name or an e-mail
            address, which have to be forgotten when their owner asks for it.
    """
    chain, _ = AuditChain.objects.select_for_update().get_or_create(pk=organization_id)
    user, origin = (actor, actor.origin) if isinstance(actor, User) else (None, actor)
    entry = AuditEntry(
        organization_id=organization_id,
        number=chain.number + 1,
        created_at=timezone.now(),
        action=action.value,
        actor_id=None if user is None else user.pk,
        room_id=room_id,
        subject_id=subject_id,
        details=details,
        address=None if origin is None else origin.address,
        user_agent="" if origin is None else origin.user_agent,
    )
    entry.digest = digest_of(entry, chain.digest)
    entry.save()
    chain.number, chain.digest = entry.number, entry.digest
    chain.save()
    return entry


@transaction.atomic
def record_for_user(
    action: AuditAction,
    subject: User,
    *,
    actor: User | Origin,
    room_id: UUID | None = None,
    **details: Detail,
) -> None:
    """Write an entry about a user into the trail of each of their organizations; call it as `record`."""
    memberships = OrganizationMember.objects.filter(user=subject).order_by("organization_id")
    for organization_id in memberships.values_list("organization_id", flat=True):
        record(
            action,
            organization_id=organization_id,
            actor=actor,
            subject_id=subject.pk,
            room_id=room_id,
            **details,
        )


def digest_of(entry: AuditEntry, previous: str) -> str:
    """SHA-256, in hexadecimal, of an entry and of the digest of the one before it."""
    told = [
        previous,
        str(entry.organization_id),
        entry.number,
        entry.created_at.astimezone(UTC).isoformat(),
        entry.action,
        *(
            None if known is None else str(known)
            for known in (entry.actor_id, entry.room_id, entry.subject_id)
        ),
        entry.details,
        entry.address,
        entry.user_agent,
    ]
    encoded = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(encoded.encode()).hexdigest()
