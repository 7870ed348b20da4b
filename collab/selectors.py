"""Reading rooms: what a user may see, and loading it with the right that is needed, or raising.

The last two functions serve live connections, which ask again and again: each is one query.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Now
from django.utils import timezone

from accounts.errors import NotFoundError, PermissionDeniedError
from accounts.models import Group, Organization, OrganizationMember, User
from accounts.tokens import Credential, TokenRefusedError, living_sessions, living_tickets, still_holds
from collab.ids import IsAnyOf
from collab.models import (
    AccessRequest,
    LiveConnection,
    Room,
    RoomMember,
    RoomRole,
    ServerProcess,
    ShareLink,
)
from collab.policies import (
    Access,
    Grants,
    RoomAbility,
    access_for,
    grants_of,
    living_link_grants,
    living_links,
    may_ask_for_access,
    readable_rooms,
    restorable_rooms,
    room_access,
    with_grants,
)
from collab.prepared import PreparedQuery

#: The epoch of sessions and tickets: they are good until they are ended, and never again.
ENDLESS = 0
#: What is found at the id of a connection that nobody has sent away: no row.
NOT_KICKED = None
CREDENTIAL_ENDED = "You were signed out; sign in again."
#: A process that has not said so for this long is not there.
PROCESS_GONE_S = 15


def rooms_visible_to(
    user: User | AnonymousUser,
    *,
    organization_id: UUID | None = None,
    search: str = "",
    trashed: bool = False,
) -> QuerySet[Room]:
    """Every room the user may read, with its grants: `access_for` costs no query on these.

    `organization_id`: only rooms of this organization. `search`: part of the name, in any case.
    `trashed`: instead, every room in the trash that the user may take out.
    """
    rooms = restorable_rooms(user) if trashed else readable_rooms(user)
    if organization_id is not None:
        rooms = rooms.filter(organization=organization_id)
    if search:
        rooms = rooms.filter(name__icontains=search)
    return with_grants(rooms, user.pk)


def access_room(
    user: User | AnonymousUser, room_id: UUID, *, needs: RoomAbility = "read", even_trashed: bool = False
) -> Room:
    """Load a room that the user may do `needs` in, with its grants.

    `even_trashed`: as if it were not in the trash, to take it out again.

    Raises:
        NotFoundError: it does not exist, is in the trash, or the user may not even read it.
        PermissionDeniedError: the user may read it, without that right.
    """
    room = with_grants(Room.objects.filter(pk=room_id), user.pk).first()
    if room is None:
        raise NotFoundError("Room not found.")
    grants = grants_of(room, is_active_user=user.is_active)
    abilities = room_access(replace(grants, is_trashed=False) if even_trashed else grants).abilities
    if not abilities.read:
        raise NotFoundError("Room not found.")
    if not getattr(abilities, needs):
        raise PermissionDeniedError("Your role in the room does not allow this.")
    return room


def access_room_to_ask(user: User, room_id: UUID) -> Room:
    """Load a room for which the user may ask for access, with its grants.

    Raises:
        NotFoundError: it does not exist, is in the trash, or the user may not know of it.
    """
    room = with_grants(Room.objects.filter(pk=room_id), user.pk).first()
    if room is None or not may_ask_for_access(grants_of(room, is_active_user=user.is_active)):
        raise NotFoundError("Room not found.")
    return room


def room_members_visible_to(user: User | AnonymousUser, room_id: UUID) -> QuerySet[RoomMember]:
    """The members of a room, with their users and groups, for whoever may read it.

    Raises:
        NotFoundError: see `access_room`.
    """
    return access_room(user, room_id).members.select_related("user", "group")


def access_room_member(user: User | AnonymousUser, room_id: UUID, member_id: UUID) -> RoomMember:
    """Load one membership of a room that the user may read.

    Raises:
        NotFoundError: no such membership in that room, or see `access_room`.
    """
    member = room_members_visible_to(user, room_id).filter(pk=member_id).first()
    if member is None:
        raise NotFoundError("Member not found.")
    return member


def share_links_visible_to(user: User | AnonymousUser, room_id: UUID) -> QuerySet[ShareLink]:
    """The share links of a room, with the number of wrong passwords, for whoever may share it.

    Raises:
        NotFoundError, PermissionDeniedError: see `access_room`.
    """
    links = access_room(user, room_id, needs="share").share_links
    return links.annotate(wrong_password_count=Count("wrong_passwords"))


def access_share_link(user: User | AnonymousUser, room_id: UUID, link_id: UUID) -> ShareLink:
    """Load one share link of a room that the user may share.

    Raises:
        NotFoundError, PermissionDeniedError: no such link in that room, or see `access_room`.
    """
    link = share_links_visible_to(user, room_id).filter(pk=link_id).first()
    if link is None:
        raise NotFoundError("Share link not found.")
    return link


def find_redeemable_link(user: User, digest: str) -> ShareLink | None:
    """The link with this digest, with its room, if it lives and would let this user in, or has already."""
    is_free = Q(max_uses__isnull=True) | Q(uses__lt=F("max_uses"))
    has_let_in = Q(pk__in=user.share_link_grants.values("link"))
    links = living_links().filter(is_free | has_let_in, digest=digest, room__trashed_at__isnull=True)
    return links.select_related("room").first()


def access_requests_visible_to(user: User, room_id: UUID) -> QuerySet[AccessRequest]:
    """The requests for access to a room, with who asks: all of them for whoever may share it, else their own.

    Raises:
        NotFoundError: see `access_room_to_ask`.
    """
    room = access_room_to_ask(user, room_id)
    requests = room.access_requests.select_related("user")
    return requests if access_for(user, room).abilities.share else requests.filter(user=user)


def access_access_request(user: User, room_id: UUID, request_id: UUID) -> AccessRequest:
    """Load one request for access that the user may see.

    Raises:
        NotFoundError: no such request in that room, or see `access_room_to_ask`.
    """
    request = access_requests_visible_to(user, room_id).filter(pk=request_id).first()
    if request is None:
        raise NotFoundError("Access request not found.")
    return request


@dataclass(frozen=True, slots=True)
class GivenRole:
    """One thing that gives a user a role in a room: the role that it alone would give.

    `source`: the membership of the user, or of the `group` they are in; the link, which may expire; or the
    membership in the organization, whose role is enough (`organization`) or which the room is open to
    (`organization_wide`).
    """

    kind: Literal["member", "group", "share_link", "organization", "organization_wide"]
    role: RoomRole
    source: RoomMember | ShareLink | OrganizationMember
    group: Group | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccessExplanation:
    """Everything that gives a user a role in a room, strongest first, and what they may do all in all.

    Nothing, whatever is given, while the room is in the trash or the user deactivated.
    """

    given: tuple[GivenRole, ...]
    access: Access
    is_trashed: bool
    is_active_user: bool


def explain_access(user: User, room: Room) -> AccessExplanation:
    """Why a user may do what they may in a room; for those who run the server. Asks for no right."""
    given = [*_given_by_name(user, room), *_given_by_links(user, room), *_given_by_organization(user, room)]
    strengths = list(RoomRole)
    return AccessExplanation(
        given=tuple(sorted(given, key=lambda each: strengths.index(each.role))),
        access=access_for(user, room),
        is_trashed=room.trashed_at is not None,
        is_active_user=user.is_active,
    )


def _given_by_name(user: User, room: Room) -> Iterator[GivenRole]:
    theirs = Q(user=user) | Q(group__members__member__user=user)
    for member in room.members.filter(theirs).select_related("group"):
        kind: Literal["member", "group"] = "group" if member.group else "member"
        yield GivenRole(kind, RoomRole(member.role), member, member.group)


def _given_by_links(user: User, room: Room) -> Iterator[GivenRole]:
    for link in living_links().filter(room=room, grants__user=user):
        yield GivenRole("share_link", RoomRole(link.role), link, expires_at=link.expires_at)


def _given_by_organization(user: User, room: Room) -> Iterator[GivenRole]:
    member = OrganizationMember.objects.filter(organization=room.organization_id, user=user).first()
    if member is None:
        return
    if role := room_access(Grants(organization_member_role=member.role)).role:
        yield GivenRole("organization", role, member)
    elif role := room_access(
        Grants(organization_member_role=member.role, organization_wide_role=room.organization_role)
    ).role:
        yield GivenRole("organization_wide", role, member)


def connections_visible_to(user: User | AnonymousUser, room_id: UUID) -> QuerySet[LiveConnection]:
    """Who is connected to a room now, with their users, over all processes, for whoever may read it.

    Raises:
        NotFoundError: see `access_room`.
    """
    room = access_room(user, room_id)
    return living_connections().filter(room=room, kicked_at__isnull=True).select_related("user")


class KickedError(Exception):
    """Somebody who may has sent this connection away."""


def kicked_connections() -> QuerySet[LiveConnection]:
    return LiveConnection.objects.filter(kicked_at__isnull=False)


def living_connections() -> QuerySet[LiveConnection]:
    """The connections of all processes that are there."""
    seen = ServerProcess.objects.filter(seen_at__gt=Now() - timedelta(seconds=PROCESS_GONE_S))
    return LiveConnection.objects.filter(process_id__in=seen.values("pk"))


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
    rooms = Room.objects.filter(IsAnyOf("pk", ids), trashed_at__isnull=True)
    organizations = Organization.objects.filter(IsAnyOf("pk", ids))
    users = User.objects.filter(IsAnyOf("pk", ids), is_active=True)
    endless = (living_sessions(), living_tickets(), kicked_connections())
    return dict(
        rooms.values_list("pk", "access_epoch").union(
            *(rows.values_list("pk", "access_epoch") for rows in (organizations, users)),
            *(rows.filter(IsAnyOf("pk", ids)).values_list("pk", Value(ENDLESS)) for rows in endless),
            all=True,
        )
    )
