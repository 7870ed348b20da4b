"""Invitations: memberships of an e-mail address that nobody has an account for.

Whoever registers does not prove that the address is theirs. The mail of an invitation therefore carries a
token, an address signed by this server; to come back with it proves that one reads mail to that address.
It says nothing of what one is invited to: that is what is stored when it comes back.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import models, transaction

from accounts.errors import InvalidInvitationError
from accounts.models import User
from accounts.signals import member_added

TOKEN_LIFETIME_S = 14 * 86400
#: An address has 254 characters at most.
MAX_TOKEN_LENGTH = 1000
_SALT = "accounts.invitations"


class TakenUp(NamedTuple):
    """An invitation that became somebody's membership; without a room, in the organization itself."""

    organization_id: UUID
    room_id: UUID | None
    member_id: UUID
    role: str


def make_invitation_token(email: str) -> str:
    """A token for the mail to this address, good for `TOKEN_LIFETIME_S`."""
    return signing.dumps(email.lower(), salt=_SALT)


def check_invitation_token(token: str, *, email: str, field: str) -> None:
    """See that a token was made for this address.

    Args:
        field: the name of the input that it came in.

    Raises:
        InvalidInvitationError: forged, too old, or made for another address; which of these is not told.
    """
    try:
        invited = signing.loads(token, salt=_SALT, max_age=TOKEN_LIFETIME_S)
    except signing.BadSignature as error:
        raise InvalidInvitationError(field) from error
    if invited != email.lower():
        raise InvalidInvitationError(field)


def is_taken_up_unproved() -> bool:
    """Whether an account gets what its address was invited to without such a token."""
    return not settings.VERIFY_INVITATIONS


def announce_member(membership: models.Model, actor: User) -> None:
    """Send `member_added` on commit."""
    # Robust: the membership is committed, so a receiver that fails can't be allowed to fail the request.
    send = partial(member_added.send_robust, sender=type(membership), membership=membership, actor=actor)
    transaction.on_commit(send)
