"""Share links: made, changed, taken away, and redeemed.

Of a link's token only the digest is stored, of its password only a slow hash. Before a password is hashed an
attempt at it is kept, and taken back when it was right: so the attempts that fail are counted however many
come at once, and past the bounds nothing is hashed any more. Hashing happens outside of any transaction: it
takes a good part of a second, in which nobody else could write. Links change under the lock of their room.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple, TypedDict, Unpack
from uuid import UUID

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.db.models import F

from accounts.audit import AuditAction, record
from accounts.epochs import raise_access_epoch
from accounts.errors import (
    InvalidError,
    NotFoundError,
    PasswordRequiredError,
    TooManyAttemptsError,
    WrongPasswordError,
)
from accounts.models import User
from accounts.services.locks import lock_active_user
from accounts.versions import check_unchanged
from collab.models import Room, RoomRole, ShareLink, ShareLinkGrant
from collab.selectors import access_room, find_redeemable_link
from collab.services.locks import dangerously_lock_room, lock, lock_room

#: Wrong passwords that one person, and all together, may give until the link gets another.
MAX_WRONG_PASSWORDS_PER_USER = 10
MAX_WRONG_PASSWORDS = 100


class NewShareLink(NamedTuple):
    """A link with its secret, which nobody can read any more later."""

    link: ShareLink
    token: str


class ShareLinkChanges(TypedDict, total=False):
    """What `update_share_link` may change; what is absent stays. None: no password, no bound."""

    role: RoomRole
    password: str | None
    expires_at: datetime | None
    max_uses: int | None


def create_share_link(
    *,
    actor: User,
    room_id: UUID,
    role: RoomRole,
    password: str | None = None,
    expires_at: datetime | None = None,
    max_uses: int | None = None,
) -> NewShareLink:
    """Make a link that gives this role.

    Raises:
        NotFoundError, PermissionDeniedError: see `selectors.access_room`.
    """
    token = secrets.token_urlsafe(32)
    hashed = _hashed(actor, room_id, password)
    with transaction.atomic():
        room = lock_room(actor, room_id, needs="share")
        link = ShareLink.objects.create(
            room=room,
            role=role,
            digest=digest_of(token),
            password=hashed,
            expires_at=expires_at,
            max_uses=max_uses,
            created_by=actor,
        )
        _record(AuditAction.SHARE_LINK_CREATED, actor, room, link)
    return NewShareLink(link, token)


def update_share_link(
    *,
    actor: User,
    room_id: UUID,
    link_id: UUID,
    if_match: Collection[str] | None = None,
    **changes: Unpack[ShareLinkChanges],
) -> ShareLink:
    """Change a link, for those too whom it has let in.

    Raises:
        NotFoundError, PermissionDeniedError: no such link, or see `selectors.access_room`.
        ChangedMeanwhileError: see `accounts.versions`.
        InvalidError: it has let in more than `max_uses` people.
    """
    fields: dict[str, object] = dict(changes)
    if "password" in changes:
        fields["password"] = _hashed(actor, room_id, changes["password"])
    with transaction.atomic():
        room = lock_room(actor, room_id, needs="share")
        link = _get_link(room, link_id)
        check_unchanged(link, if_match)
        _check_uses(link, changes.get("max_uses"))
        for field, value in fields.items():
            setattr(link, field, value)
        link.save(update_fields=list(fields))
        if "password" in fields:
            link.wrong_passwords.all().delete()
        if {"role", "expires_at"} & fields.keys():
            raise_access_epoch(Room, room_id)
        if fields:
            _record(AuditAction.SHARE_LINK_CHANGED, actor, room, link, fields=", ".join(sorted(fields)))
    return link


@transaction.atomic
def delete_share_link(
    *, actor: User, room_id: UUID, link_id: UUID, if_match: Collection[str] | None = None
) -> None:
    """Delete a link, and with it what it gave to those whom it has let in.

    Raises:
        NotFoundError, PermissionDeniedError: no such link, or see `selectors.access_room`.
        ChangedMeanwhileError: see `accounts.versions`.
    """
    room = lock_room(actor, room_id, needs="share")
    link = _get_link(room, link_id)
    check_unchanged(link, if_match)
    _delete(actor, room, link)


@transaction.atomic
def dangerously_delete_share_link(*, actor: User, room_id: UUID, link_id: UUID) -> None:
    """As `delete_share_link`, of whatever room, in the trash too; asks for no right. For operators.

    Raises:
        NotFoundError: no such link.
    """
    room = dangerously_lock_room(room_id)
    _delete(actor, room, _get_link(room, link_id), operator=True)


def _delete(actor: User, room: Room, link: ShareLink, **details: Any) -> None:
    link_id = link.pk
    link.delete()
    raise_access_epoch(Room, room.pk)
    record(
        AuditAction.SHARE_LINK_DELETED,
        organization_id=room.organization_id,
        actor=actor,
        room_id=room.pk,
        subject_id=link_id,
        role=link.role,
        uses=link.uses,
        **details,
    )


def redeem_share_link(*, actor: User, token: str, password: str | None = None) -> UUID:
    """Take what a link gives; again, if the actor has it already, without a use and without its password.

    Returns:
        The id of the room.

    Raises:
        NotFoundError: no such link, or it expired, was used up or deleted, or its room is in the trash.
        PasswordRequiredError, WrongPasswordError, TooManyAttemptsError: it asks for another password.
    """
    link = _get_redeemable(actor, token)
    if link.grants.filter(user=actor).exists():
        return link.room_id
    if link.password:
        if not password:
            raise PasswordRequiredError
        _keep_attempt(actor, token)
        if not check_password(password, link.password):
            raise WrongPasswordError
    return _let_in(actor, token, checked=link.password)


def digest_of(token: str) -> str:
    """SHA-256 of a token, in hexadecimal; a slow hash is for what people choose."""
    return hashlib.sha256(token.encode()).hexdigest()


def _get_redeemable(actor: User, token: str) -> ShareLink:
    link = find_redeemable_link(actor, digest_of(token))
    if link is None:
        raise NotFoundError("Share link not found.")
    return link


def _lock_redeemable(actor: User, token: str) -> ShareLink:
    lock(_get_redeemable(actor, token).room_id)
    return _get_redeemable(actor, token)  # once more: from here on it does not move


@transaction.atomic
def _keep_attempt(actor: User, token: str) -> None:
    attempts = _lock_redeemable(actor, token).wrong_passwords
    if (
        attempts.count() >= MAX_WRONG_PASSWORDS
        or attempts.filter(user=actor).count() >= MAX_WRONG_PASSWORDS_PER_USER
    ):
        raise TooManyAttemptsError
    attempts.create(user=actor)


@transaction.atomic
def _let_in(actor: User, token: str, *, checked: str) -> UUID:
    """`checked`: the password, hashed, that was found right; another may have been set since."""
    link = _lock_redeemable(actor, token)
    if link.password not in {"", checked}:
        raise WrongPasswordError
    if lock_active_user(pk=actor.pk) is None:
        raise NotFoundError("Share link not found.")
    link.wrong_passwords.filter(user=actor).delete()
    _, is_new = ShareLinkGrant.objects.get_or_create(link=link, user=actor)
    if is_new:
        ShareLink.objects.filter(pk=link.pk).update(uses=F("uses") + 1)
        raise_access_epoch(User, actor.pk)
        _record(AuditAction.SHARE_LINK_REDEEMED, actor, link.room, link)
    return link.room_id


def _hashed(actor: User, room_id: UUID, password: str | None) -> str:
    if not password:
        return ""
    access_room(actor, room_id, needs="share")  # or whoever knows no room could have us hash
    return make_password(password)


def _get_link(room: Room, link_id: UUID) -> ShareLink:
    link = room.share_links.filter(pk=link_id).first()
    if link is None:
        raise NotFoundError("Share link not found.")
    return link


def _check_uses(link: ShareLink, max_uses: int | None) -> None:
    if max_uses is not None and max_uses < link.uses:
        message = f"The link has let in {link.uses} already."
        raise InvalidError(message, fields={"max_uses": [message]})


def _record(action: AuditAction, actor: User, room: Room, link: ShareLink, **details: Any) -> None:
    record(
        action,
        organization_id=room.organization_id,
        actor=actor,
        room_id=room.pk,
        subject_id=link.pk,
        role=link.role,
        expires_at=link.expires_at.isoformat() if link.expires_at else None,
        max_uses=link.max_uses,
        has_password=bool(link.password),
        **details,
    )
