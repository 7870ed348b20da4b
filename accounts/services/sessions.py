"""Sessions: begun by a sign-in, carried on by refresh tokens, and ended.

A refresh token is good for one use, which gives the next one. Used again later, it was stolen, or the one
that replaced it was: nobody can tell which, so the session ends (RFC 9700, section 4.14.2). Not at once: two
tabs of one browser may refresh in the same moment, and a request may be sent again whose answer was lost.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import update_last_login
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from accounts.audit import AuditAction, record_for_user
from accounts.epochs import announce_access_change, raise_access_epoch
from accounts.models import Origin, Session, User
from accounts.tokens import (
    SESSION_CLAIM,
    SESSION_ENDED,
    TokenRefusedError,
    credential_of,
    fingerprint_of,
    holder_of,
    living_sessions,
    sentence_of,
)

#: For so long after its use a refresh token is only refused when it comes again.
REUSE_GRACE = timedelta(seconds=10)
#: Failed sign-ins to one account are audited no more often than this.
FAILURES_AUDITED_EVERY_S = 60

USED_BEFORE = "Token is blacklisted."
#: Why a session ended, in the audit trail.
SIGNED_OUT = "signed_out"
TOKEN_REUSED = "refresh_token_reused"  # noqa: S105  # a name or a sentence, no secret


class _RefreshToken(RefreshToken):
    """Whether it was used before is found out by using it, so that of two at once only one can."""

    def check_blacklist(self) -> None:
        """See the class."""


class _UsedBeforeError(Exception):
    def __init__(self, used_at: datetime) -> None:
        super().__init__()
        self.used_at = used_at


@transaction.atomic
def begin_session(*, user: User) -> RefreshToken:
    """Sign in a user who has proved to be it; `user.origin` is from where."""
    token = RefreshToken()
    token[api_settings.USER_ID_CLAIM] = str(user.pk)
    token[api_settings.REVOKE_TOKEN_CLAIM] = fingerprint_of(user.password)
    session = _make_session(user, token)
    _list(token)
    update_last_login(User, user)
    record_for_user(AuditAction.SIGNED_IN, user, actor=user, session=str(session.pk))
    return token


def renew_session(*, refresh: str, origin: Origin) -> RefreshToken:
    """Trade a refresh token for the next one.

    Raises:
        TokenRefusedError: it is not good, was used before, or its session has ended. Used before and not
            just now, it ends the session.
    """
    token = _verified(refresh)
    try:
        with transaction.atomic():
            return _renewed(token, origin)
    except _UsedBeforeError as error:
        if timezone.now() - error.used_at > REUSE_GRACE:
            _end_session_of(token, origin, reason=TOKEN_REUSED)
        raise TokenRefusedError(USED_BEFORE) from None


def end_session(*, refresh: str, origin: Origin) -> None:
    """Sign out: the refresh token, and all others of its session, are good for nothing from now on.

    Raises:
        TokenRefusedError: it is not good, or was used before; in that case too its session has ended.
    """
    token = _verified(refresh)
    with transaction.atomic():
        used_at = _use(token)
        _end_session_of(token, origin, reason=SIGNED_OUT)
    if used_at is not None:
        raise TokenRefusedError(USED_BEFORE)


@transaction.atomic
def end_all_sessions(user: User) -> None:
    """Whoever is signed in as this user is not any more, and their open sockets are looked at again."""
    living_sessions().filter(user=user).update(ended_at=timezone.now())
    raise_access_epoch(User, user.pk)


@transaction.atomic
def dangerously_end_all_sessions(*, actor: User, user: User) -> None:
    """Sign whoever it is out everywhere. For operators."""
    end_all_sessions(user)
    record_for_user(AuditAction.SIGNED_OUT, user, actor=actor, operator=True)


@transaction.atomic
def dangerously_end_session(*, actor: User, session_id: UUID) -> None:
    """End whosever session it is; no change if it has ended. For operators."""
    living = living_sessions().filter(pk=session_id)
    session = living.select_related("user").first()
    if session is not None and living.update(ended_at=timezone.now()):
        announce_access_change(Session, session_id)
        record_for_user(
            AuditAction.SIGNED_OUT, session.user, actor=actor, session=str(session_id), operator=True
        )


def record_failed_sign_in(*, email: str, origin: Origin) -> None:
    """Audit a wrong password, where there is such an account, and not too often."""
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is not None and cache.add(f"accounts.sign-in-failed.{user.pk}", True, FAILURES_AUDITED_EVERY_S):
        record_for_user(AuditAction.SIGN_IN_FAILED, user, actor=origin)


def _verified(refresh: str) -> RefreshToken:
    try:
        return _RefreshToken(refresh)  # type: ignore[arg-type]  # annotated as Token
    except TokenError as error:
        raise TokenRefusedError(sentence_of(error)) from error


def _renewed(token: RefreshToken, origin: Origin) -> RefreshToken:
    session_id = credential_of(token).session_id
    user = holder_of(token)
    used_at = _use(token)
    if used_at is not None:
        raise _UsedBeforeError(used_at)
    token.set_jti()
    token.set_exp()
    token.set_iat()
    if session_id is None:  # issued before there were sessions
        user.origin = origin
        _make_session(user, token)
    elif not living_sessions().filter(pk=session_id).update(expires_at=_end_of(token)):
        raise TokenRefusedError(SESSION_ENDED)  # in this moment
    _list(token)
    return token


def _make_session(user: User, token: RefreshToken) -> Session:
    origin = user.origin or Origin()
    session = Session.objects.create(
        user=user, address=origin.address, user_agent=origin.user_agent, expires_at=_end_of(token)
    )
    token[SESSION_CLAIM] = str(session.pk)
    return session


def _end_session_of(token: RefreshToken, origin: Origin, *, reason: str) -> None:
    credential = credential_of(token)
    session_id = credential.session_id
    if session_id is None:
        return
    with transaction.atomic():
        living = living_sessions().filter(pk=session_id, user=credential.user_id)
        if living.update(ended_at=timezone.now()):
            announce_access_change(Session, session_id)
            user = User.objects.get(pk=credential.user_id)
            user.origin = origin
            actor = user if reason == SIGNED_OUT else origin
            record_for_user(AuditAction.SIGNED_OUT, user, actor=actor, session=str(session_id), reason=reason)


def _use(token: RefreshToken) -> datetime | None:
    """Mark a refresh token as used; give when it was before, if it was."""
    known = OutstandingToken.objects.filter(jti=token[api_settings.JTI_CLAIM]).first() or _list(token)
    used, is_first = BlacklistedToken.objects.get_or_create(token=known)
    return None if is_first else used.blacklisted_at


def _list(token: RefreshToken) -> OutstandingToken:
    """Keep that the token is out; not the token itself, or whoever reads the database could use it."""
    user_id = UUID(token[api_settings.USER_ID_CLAIM])
    listed, _ = OutstandingToken.objects.get_or_create(
        jti=token[api_settings.JTI_CLAIM],
        defaults={
            "user": User.objects.filter(pk=user_id).first(),
            "created_at": timezone.now(),
            "expires_at": _end_of(token),
        },
    )
    return listed


def _end_of(token: RefreshToken) -> datetime:
    return datetime.fromtimestamp(token["exp"], UTC)
