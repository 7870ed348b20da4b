"""Reading rooms: what a user may see, and loading it with the right that is needed, or raising."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Now

from accounts.errors import NotFoundError, PermissionDeniedError
from accounts.models import Group, OrganizationMember, User
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
    find_granted_room,
    grants_of,
    living_links,
    may_ask_for_access,
    readable_rooms,
    restorable_rooms,
    room_access,
    with_grants,
)

#: A process that has not said so for this long is not there.
PROCESS_GONE_S = 15


def rooms_visible_to(
    user: User | AnonymousUser,
    *,
    organization_id: UUID | None = None,
    search: str = "",
    trashed: bool = False,
    at: datetime | None = None,
) -> QuerySet[Room]:
    """Every room the user may read, with its grants: `access_for` costs no query on these.

    `organization_id`: only rooms of this organization. `search`: part of the name, in any case.
    `trashed`: instead, every room in the trash that the user may take out. `at`: not now, but then.
    """
    rooms = restorable_rooms(user) if trashed else readable_rooms(user, at)
    if organization_id is not None:
        rooms = rooms.filter(organization=organization_id)
    if search:
        rooms = rooms.filter(name__icontains=search)
    return with_grants(rooms, user.pk, at)


def access_room(
    user: User | AnonymousUser, room_id: UUID, *, needs: RoomAbility = "read", even_trashed: bool = False
) -> Room:
    """Load a room that the user may do `needs` in, with its grants.

    `even_trashed`: as if it were not in the trash, to take it out again.

    Raises:
        NotFoundError: it does not exist, is in the trash, or the user may not even read it.
        PermissionDeniedError: the user may read it, without that right.
    """
    room = find_granted_room(user, room_id)
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
    room = find_granted_room(user, room_id)
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


def living_connections() -> QuerySet[LiveConnection]:
    """The connections of all processes that are there."""
    seen = ServerProcess.objects.filter(seen_at__gt=Now() - timedelta(seconds=PROCESS_GONE_S))
    return LiveConnection.objects.filter(process_id__in=seen.values("pk"))
