"""Tickets: for a socket whose URL may be logged. One use, one room, a minute.

A ticket that comes a second time was read by somebody who should not have it, and nobody can tell which
of the two uses was theirs: it is refused, and the socket that it let in before is closed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.audit import AuditAction, record_for_user
from accounts.epochs import announce_access_change
from accounts.models import Origin, Ticket, User
from accounts.tokens import (
    PASSWORD_CHANGED,
    SESSION_ENDED,
    Credential,
    TokenRefusedError,
    check_active,
    fingerprint_of,
    living_tickets,
)

LIFETIME_S = 60
MAX_TICKET_BYTES = 200

INVALID = "Ticket is not valid; ask for a new one."


def issue_ticket(*, user: User, credential: Credential, room_id: UUID) -> str:
    """Make a ticket for a room; whether the user may read it was found out before.

    Args:
        credential: what the user is signed in with: the socket lives no longer than that.
    """
    secret = token_urlsafe(32)
    Ticket.objects.create(
        digest=_digest_of(secret.encode()),
        user=user,
        session_id=credential.session_id,
        password_fingerprint=credential.password_fingerprint or "",
        room_id=room_id,
        expires_at=timezone.now() + timedelta(seconds=LIFETIME_S),
        token_expires_at=datetime.fromtimestamp(credential.expires_at, UTC),
    )
    return secret


def use_ticket(secret: bytes, *, origin: Origin) -> tuple[User, Credential]:
    """Trade a ticket for the user who asked for it, once, in two queries.

    Raises:
        TokenRefusedError: unknown, too old or used before; or what it was asked for with is not good any
            more.
    """
    if len(secret) > MAX_TICKET_BYTES:
        raise TokenRefusedError(INVALID)
    now = timezone.now()
    tickets = Ticket.objects.filter(digest=_digest_of(secret))
    is_first_use = tickets.filter(used_at__isnull=True, expires_at__gt=now).update(used_at=now)
    ticket = tickets.select_related("user", "session").first()
    if ticket is None:
        raise TokenRefusedError(INVALID)
    if not is_first_use:
        if ticket.used_at is not None:
            _revoke(ticket, origin)
        raise TokenRefusedError(INVALID)
    _check(ticket)
    return ticket.user, Credential(
        user_id=ticket.user_id,
        expires_at=ticket.token_expires_at.timestamp(),
        session_id=ticket.session_id,
        ticket_id=ticket.pk,
        password_fingerprint=ticket.password_fingerprint or None,
        room_id=ticket.room_id,
    )


def _check(ticket: Ticket) -> None:
    """See that what it was asked for with is as good as then."""
    check_active(ticket.user)
    if ticket.password_fingerprint not in {"", fingerprint_of(ticket.user.password)}:
        raise TokenRefusedError(PASSWORD_CHANGED, "password_changed")
    if ticket.session is not None and ticket.session.ended_at is not None:
        raise TokenRefusedError(SESSION_ENDED)


@transaction.atomic
def _revoke(ticket: Ticket, origin: Origin) -> None:
    if living_tickets().filter(pk=ticket.pk).update(revoked_at=timezone.now()):
        announce_access_change(Ticket, ticket.pk)
        record_for_user(AuditAction.TICKET_REUSED, ticket.user, actor=origin, room_id=ticket.room_id)


def _digest_of(secret: bytes) -> str:
    return sha256(secret).hexdigest()
