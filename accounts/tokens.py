"""Access tokens, over HTTP and WebSocket alike: what they prove, and one kind of refusal.

A token of our own carries the user's id, a fingerprint of the password it was issued under and, in the
claim `sid`, the session it belongs to. It is good while all three hold; see `services.sessions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any, TypedDict, cast
from uuid import UUID

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Value
from django.db.models.functions import MD5, Upper
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, Token
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts.models import Session, Ticket, User
from accounts.prepared import PreparedQuery

MAX_TOKEN_BYTES = 8192
SESSION_CLAIM = "sid"


@dataclass(frozen=True, slots=True)
class Credential:
    """What somebody came in with, as far as it has to be remembered while they are here.

    `expires_at`: seconds since the epoch. `session_id`, `ticket_id`: it is good while these are.
    `password_fingerprint`: it is good while the password has this one. `room_id`: the only room that it
    is good for. What is none does not limit it.
    """

    user_id: UUID
    expires_at: float
    session_id: UUID | None = None
    ticket_id: UUID | None = None
    password_fingerprint: str | None = None
    room_id: UUID | None = None


class TokenRefusedError(Exception):
    """The token is not good; the message says why in one sentence, without any part of the token.

    `code` is for programs, as in the errors of the API.
    """

    def __init__(self, reason: str, code: str = "token_not_valid") -> None:
        super().__init__(reason)
        self.code = code


SESSION_ENDED = "The session has ended."
PASSWORD_CHANGED = "The user's password has been changed."  # noqa: S105  # a name or a sentence, no secret


class _Session(TypedDict):
    has_living_session: bool


if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    _UserAndSession = WithAnnotations[User, _Session]


def authenticate_access_token(raw: bytes) -> tuple[User, Credential]:
    """Verify an encoded access token and load its user, in one query.

    Raises:
        TokenRefusedError: malformed, forged, expired or of another type; or its session has ended, or its
            user is gone, was deactivated, or has changed the password since it was issued.
    """
    if len(raw) > MAX_TOKEN_BYTES:
        raise TokenRefusedError("Token is too long.")
    try:
        token = AccessToken(raw)  # type: ignore[arg-type]  # annotated as Token; bytes are what it decodes
    except TokenError as error:
        raise TokenRefusedError(sentence_of(error)) from error
    return holder_of(token), credential_of(token)


def sentence_of(error: TokenError) -> str:
    """What the token library found, as a sentence."""
    return f"{str(error.args[0]).rstrip('.')}."


def credential_of(token: Token) -> Credential:
    """What a verified token proves.

    Raises:
        TokenRefusedError: signed with our key, for another use of it.
    """
    try:
        session_id = token.get(SESSION_CLAIM)
        return Credential(
            user_id=UUID(token[api_settings.USER_ID_CLAIM]),
            expires_at=float(token["exp"]),
            session_id=None if session_id is None else UUID(session_id),
            password_fingerprint=str(token.get(api_settings.REVOKE_TOKEN_CLAIM)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TokenRefusedError("Token is invalid.") from error


def holder_of(token: Token) -> User:
    """Load the user of a verified token, in one query.

    Raises:
        TokenRefusedError: see `authenticate_access_token`.
    """
    credential = credential_of(token)
    limits = {} if credential.session_id is None else {"session_id": credential.session_id}
    user: _UserAndSession | None = _holder.first(tuple(limits), user_id=credential.user_id, **limits)
    if user is None:
        raise TokenRefusedError("User not found.", "user_not_found")
    check_active(user)
    if fingerprint_of(user.password) != credential.password_fingerprint:
        raise TokenRefusedError(PASSWORD_CHANGED, "password_changed")
    if not user.has_living_session:
        raise TokenRefusedError(SESSION_ENDED)
    return user


def check_active(user: User) -> None:
    """Raises TokenRefusedError for a user who was deactivated."""
    if not user.is_active:
        raise TokenRefusedError("User is inactive.", "user_inactive")


def fingerprint_of(password: str) -> str:
    """What tokens carry of a stored (hashed) password."""
    return str(get_md5_hash_password(password))


def _make_holder(
    shape: tuple[str, ...], *, user_id: UUID, session_id: UUID | None = None
) -> QuerySet[_UserAndSession]:
    """`shape`: which of the values there are, beside the first."""
    lives: Any = Value(True)
    if session_id is not None:
        lives = Exists(living_sessions().filter(pk=session_id, user=OuterRef("pk")))
    users = User.objects.filter(pk=user_id).annotate(has_living_session=lives)
    return cast("QuerySet[_UserAndSession]", users)


_holder = PreparedQuery(_make_holder)


def living_sessions() -> QuerySet[Session]:
    """Sessions that nobody has ended."""
    return Session.objects.filter(ended_at__isnull=True)


def still_holds(credential: Credential) -> ExpressionWrapper:
    """For a query: whether the credential is as good as when it was accepted, apart from its age."""
    conditions = [Q(Exists(User.objects.filter(pk=credential.user_id)))]
    if credential.session_id is not None:
        sessions = living_sessions().filter(pk=credential.session_id, user=credential.user_id)
        conditions.append(Q(Exists(sessions)))
    if credential.ticket_id is not None:
        conditions.append(Q(Exists(living_tickets().filter(pk=credential.ticket_id))))
    if credential.password_fingerprint is not None:
        users = User.objects.alias(fingerprint=Upper(MD5("password"))).filter(pk=credential.user_id)
        conditions.append(Q(Exists(users.filter(fingerprint=credential.password_fingerprint))))
    return ExpressionWrapper(reduce(and_, conditions), output_field=BooleanField())


def living_tickets() -> QuerySet[Ticket]:
    """Tickets that were not used a second time."""
    return Ticket.objects.filter(revoked_at__isnull=True)
