"""What a connection may do in a room now, and by what one sees that this has changed: each is one query.

Live connections ask these again and again, at the door and as long as they are open.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery, Value
from django.utils import timezone

from accounts.models import Organization, User
from accounts.prepared import PreparedQuery
from accounts.tokens import Credential, TokenRefusedError, living_sessions, living_tickets, still_holds
from collab.ids import AsText, IsAnyOf, ids_of
from collab.models import LiveConnection, Room
from collab.policies import Access, Grants, living_link_grants, room_access, with_grants

#: The epoch of sessions and tickets: they are good until they are ended, and never again.
ENDLESS = 0
#: What is found at the id of a connection that nobody has sent away: no row.
NOT_KICKED = None
CREDENTIAL_ENDED = "You were signed out; sign in again."


class KickedError(Exception):
    """Somebody who may has sent this connection away."""


def kicked_connections() -> QuerySet[LiveConnection]:
    return LiveConnection.objects.filter(kicked_at__isnull=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """Who wants to be, or is, in a room over a connection.

    `credential`: what they came in with; none where that is not to be looked at again. `connection_id`:
    none as long as they are at the door.
    """

    user_id: UUID
    credential: Credential | None = None
    connection_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class RoomAccess:
    """What a connection is let into a room with.

    `epochs`: those at which that was true, by the ids of rows. `changes_at`: when a part of it ends by
    itself, as share links do. `user_name`: who they are to others; a new name raises the user's epoch.
    """

    access: Access
    epochs: dict[UUID, int | None]
    changes_at: datetime | None
    user_name: str


def find_room_access(subject: Subject, room_id: UUID) -> RoomAccess | None:
    """What the subject may do in this room now, in one query.

    None where a connection has no business: no such room or user, the room is in the trash, the user
    was deactivated, or may not read.

    Raises:
        TokenRefusedError: the credential was good, and is not any more.
        KickedError: the connection was sent away.
    """
    user_id, credential, connection_id = subject.user_id, subject.credential, subject.connection_id
    known: dict[str, Any] = {"user_id": user_id, "connection_id": connection_id}
    known |= {name: getattr(credential, name, None) for name in _LIMITS}
    values = {name: value for name, value in known.items() if value is not None}
    row = _room_access.first(tuple(values), room_id=room_id, at=timezone.now(), **values)
    if row is None:
        return None
    found = _FoundAccess(*row)
    if found.user_epoch is None:
        return None
    if not found.credential_holds:
        raise TokenRefusedError(CREDENTIAL_ENDED)
    access = room_access(
        Grants(
            member_role=found.member_role,
            group_role=found.group_role,
            link_role=found.link_role,
            organization_member_role=found.organization_member_role,
            organization_wide_role=found.organization_wide_role,
            is_trashed=found.trashed_at is not None,
        )
    )
    if not access.abilities.read:
        return None
    if found.is_kicked:
        raise KickedError
    epochs: dict[UUID, int | None] = {
        room_id: found.room_epoch,
        found.organization_id: found.organization_epoch,
        user_id: found.user_epoch,
    }
    if credential is not None:
        epochs |= {key: ENDLESS for key in (credential.session_id, credential.ticket_id) if key is not None}
    if connection_id is not None:
        epochs[connection_id] = NOT_KICKED
    return RoomAccess(access, epochs, found.changes_at, found.user_name or "")


#: What a credential may be limited by, and the query has to look at.
_LIMITS = ("session_id", "ticket_id", "password_fingerprint")


class _FoundAccess(NamedTuple):
    """The columns of `_make_room_access`, in their order."""

    organization_id: UUID
    room_epoch: int
    organization_epoch: int
    user_epoch: int | None
    user_name: str | None
    trashed_at: datetime | None
    organization_wide_role: str | None
    member_role: str | None
    group_role: str | None
    link_role: str | None
    organization_member_role: str | None
    credential_holds: bool
    is_kicked: bool
    changes_at: datetime | None


def _make_room_access(shape: tuple[str, ...], *, room_id: UUID, at: datetime, **values: Any) -> QuerySet:
    """`shape`: which of the values there are."""
    user_id, connection_id = values["user_id"], values.get("connection_id")
    limits = {name: values[name] for name in _LIMITS if name in values}
    account = User.objects.filter(pk=user_id, is_active=True)
    ending = living_link_grants(user_id, at).filter(link__room=OuterRef("pk"), link__expires_at__isnull=False)
    is_kicked = (
        Value(False) if connection_id is None else Exists(kicked_connections().filter(pk=connection_id))
    )
    rooms = with_grants(
        Room.objects.filter(pk=room_id), user_id, at
    ).annotate(
        user_epoch=Subquery(account.values("access_epoch")),  # NULL without an active account
        user_name=Subquery(account.values("name")),
        credential_holds=still_holds(Credential(user_id, expires_at=0.0, **limits))
        if limits
        else Value(True),
        is_kicked=is_kicked,
        changes_at=Subquery(ending.order_by("link__expires_at").values("link__expires_at")[:1]),
    )
    return rooms.order_by().values_list(
        "organization_id",
        "access_epoch",
        "organization__access_epoch",
        "user_epoch",
        "user_name",
        "trashed_at",
        "organization_role",
        "granted_member_role",
        "granted_group_role",
        "granted_link_role",
        "granted_organization_member_role",
        "credential_holds",
        "is_kicked",
        "changes_at",
    )


_room_access = PreparedQuery(_make_room_access)


def current_epochs(ids: Collection[UUID]) -> dict[UUID, int]:
    """The access epochs by id, in one query, of all rows that have one and are among these.

    What no longer counts is absent: missing rows, rooms in the trash, users who were deactivated,
    sessions and tickets that were ended. A connection is there once it was kicked.
    """
    known = ids_of(ids)
    is_known = IsAnyOf("pk", known)
    rooms = Room.objects.filter(is_known, trashed_at__isnull=True)
    organizations = Organization.objects.filter(is_known)
    users = User.objects.filter(is_known, is_active=True)
    endless = (living_sessions(), living_tickets(), kicked_connections())
    return known.found(
        rooms.values_list(AsText("pk"), "access_epoch").union(
            *(rows.values_list(AsText("pk"), "access_epoch") for rows in (organizations, users)),
            *(rows.filter(is_known).values_list(AsText("pk"), Value(ENDLESS)) for rows in endless),
            all=True,
        )
    )
