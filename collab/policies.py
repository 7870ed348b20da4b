"""What someone may do in a room: the only place where roles become rights.

HTTP and WebSocket ask the same question. `room_access(grants)` answers it from everything that gives
a user a role in a room; `access_for(user, room)` reads those grants and asks it; `readable_rooms(user)`
is the same rule for all rooms at once, as a query.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Self, TypedDict, cast
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Case, OuterRef, Q, QuerySet, Subquery, UUIDField, Value, When
from django.utils import timezone

from accounts.models import OrganizationMember, OrganizationRole, User
from accounts.prepared import PreparedQuery
from collab.models import Room, RoomMember, RoomRole, ShareLink, ShareLinkGrant

RoomAbility = Literal["read", "write", "share", "manage", "delete"]

_STRENGTH = {None: 0, RoomRole.VIEWER: 1, RoomRole.EDITOR: 2, RoomRole.OWNER: 3}
_OWNING_ORGANIZATION_ROLES = (OrganizationRole.OWNER, OrganizationRole.ADMIN)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What one may do in a room; the shape every room payload carries.

    `share`: give, change and take memberships. `manage`: the name, and the role of the organization's
    members. `delete`: put it in the trash and take it out.
    """

    read: bool = False
    write: bool = False
    share: bool = False
    manage: bool = False
    delete: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """A user's role in a room and what follows from it. `NO_ACCESS` has no role."""

    role: RoomRole | None
    abilities: Abilities

    @classmethod
    def of(cls, role: RoomRole | None) -> Self:
        strength = _STRENGTH[role]
        is_owner = strength >= _STRENGTH[RoomRole.OWNER]
        return cls(
            role,
            Abilities(
                read=strength >= _STRENGTH[RoomRole.VIEWER],
                write=strength >= _STRENGTH[RoomRole.EDITOR],
                share=is_owner,
                manage=is_owner,
                delete=is_owner,
            ),
        )


NO_ACCESS = Access.of(None)


def is_stronger(role: str | None, other: str | None) -> bool:
    """Whether `role` gives more than `other`; none is the weakest."""
    return _strength_of(role) > _strength_of(other)


def _strength_of(role: str | None) -> int:
    return _STRENGTH[RoomRole(role) if role else None]


@dataclass(frozen=True, slots=True)
class Grants:
    """Everything that can give one user a role in one room, as stored.

    `group_role` and `link_role`: the strongest of all the user's groups and unexpired share links.
    """

    member_role: str | None = None
    group_role: str | None = None
    link_role: str | None = None
    organization_member_role: str | None = None
    organization_wide_role: str | None = None
    is_trashed: bool = False
    is_active_user: bool = True


def room_access(grants: Grants) -> Access:
    """The strongest of all grants. Owners and admins of the organization own its rooms.

    A guest of the organization has only what was granted to them in the room itself. A room in the
    trash, and a user who was deactivated, have no access at all.
    """
    if grants.is_trashed or not grants.is_active_user:
        return NO_ACCESS
    roles = [grants.member_role, grants.group_role, grants.link_role]
    if grants.organization_member_role in _OWNING_ORGANIZATION_ROLES:
        roles.append(RoomRole.OWNER)
    elif grants.organization_member_role == OrganizationRole.MEMBER:
        roles.append(grants.organization_wide_role)
    strongest = max(roles, key=_strength_of)
    return Access.of(RoomRole(strongest) if strongest else None)


def may_ask_for_access(grants: Grants) -> bool:
    """Members of the organization know its rooms, guests too; others ask for more than they have, or not."""
    if grants.is_trashed or not grants.is_active_user:
        return False
    return grants.organization_member_role is not None or room_access(grants).abilities.read


class GrantColumns(TypedDict):
    """What `with_grants` adds to a room, for the user it was read for."""

    granted_user_id: UUID | None
    granted_member_role: str | None
    granted_group_role: str | None
    granted_link_role: str | None
    granted_organization_member_role: str | None


if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    GrantedRoom = WithAnnotations[Room, GrantColumns]


def with_grants(
    rooms: QuerySet[Room], user_id: UUID | None, at: datetime | None = None
) -> QuerySet[GrantedRoom]:
    """Annotate rooms with what gives this user a role in them, now if no other time is given."""
    memberships = RoomMember.objects.filter(room=OuterRef("pk"))
    in_organization = OrganizationMember.objects.filter(organization=OuterRef("organization"), user=user_id)
    links = living_link_grants(user_id, at).filter(link__room=OuterRef("pk"))
    return rooms.annotate(
        granted_user_id=Value(user_id, output_field=UUIDField()),
        granted_member_role=Subquery(memberships.filter(user=user_id).values("role")),
        granted_group_role=Subquery(
            _strongest(memberships.filter(group__members__member__user=user_id), "role")
        ),
        granted_link_role=Subquery(_strongest(links, "link__role")),
        granted_organization_member_role=Subquery(in_organization.values("role")),
    )


def living_links() -> QuerySet[ShareLink]:
    """Share links that have not expired, by the clock of this process."""
    return ShareLink.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now()))


def living_link_grants(user_id: UUID | None, at: datetime | None = None) -> QuerySet[ShareLinkGrant]:
    """What this user redeemed and what has not expired, now by the clock of this process or at a time."""
    return ShareLinkGrant.objects.filter(
        Q(link__expires_at__isnull=True) | Q(link__expires_at__gt=at or timezone.now()), user=user_id
    )


def _strongest(rows: QuerySet, role: str) -> QuerySet:
    """The one strongest role of some rows, for a subquery."""
    strength = Case(*(When(**{role: known}, then=_STRENGTH[known]) for known in RoomRole))
    return rows.order_by(strength.desc()).values(role)[:1]


def access_for(user: User | AnonymousUser, room: Room) -> Access:
    """What `user` may do in `room`: no query if it was read `with_grants` of this user, else one."""
    if not user.is_active:
        return NO_ACCESS
    known: Room | None = room
    # Grants of another user on the room count for nothing.
    if getattr(room, "granted_user_id", None) != user.pk:
        known = find_granted_room(user, room.pk)
    return room_access(grants_of(cast("GrantedRoom", known), is_active_user=True)) if known else NO_ACCESS


def find_granted_room(user: User | AnonymousUser, room_id: UUID) -> GrantedRoom | None:
    """A room, whoever may see it, with what gives this user a role in it now; none for nobody."""
    if not user.is_active:
        return None
    found: GrantedRoom | None = _granted_room.first(user_id=user.pk, room_id=room_id, at=timezone.now())
    return found


def _make_granted_room(shape: None, *, user_id: UUID, room_id: UUID, at: datetime) -> QuerySet[GrantedRoom]:
    return with_grants(Room.objects.filter(pk=room_id), user_id, at)


_granted_room = PreparedQuery(_make_granted_room)


def grants_of(room: GrantedRoom, *, is_active_user: bool) -> Grants:
    """The grants in a room that was read `with_grants`."""
    return Grants(
        member_role=room.granted_member_role,
        group_role=room.granted_group_role,
        link_role=room.granted_link_role,
        organization_member_role=room.granted_organization_member_role,
        organization_wide_role=room.organization_role,
        is_trashed=room.trashed_at is not None,
        is_active_user=is_active_user,
    )


def readable_rooms(user: User | AnonymousUser, at: datetime | None = None) -> QuerySet[Room]:
    """All rooms in which `room_access` lets this user read, now if no other time is given.

    It is the set form of `room_access`, kept equal by a property test.
    """
    if not isinstance(user, User) or not user.is_active:
        return Room.objects.none()
    as_member = RoomMember.objects.filter(user=user).values("room_id")
    by_group = RoomMember.objects.filter(group__members__member__user=user).values("room_id")
    by_link = living_link_grants(user.pk, at).values("link__room_id")
    through_organization = Room.objects.filter(
        Q(organization__members__role__in=_OWNING_ORGANIZATION_ROLES)
        | Q(organization__members__role=OrganizationRole.MEMBER, organization_role__isnull=False),
        organization__members__user=user,
    )
    # A union of ids and not an OR over joins: each part is found by its own index.
    readable = as_member.union(by_group, by_link, through_organization.values("pk"), all=True)
    return Room.objects.filter(pk__in=readable, trashed_at__isnull=True)


def restorable_rooms(user: User | AnonymousUser) -> QuerySet[Room]:
    """All rooms in the trash which `room_access` would let this user delete, were they not in there."""
    if not isinstance(user, User) or not user.is_active:
        return Room.objects.none()
    owning = RoomMember.objects.filter(role=RoomRole.OWNER)
    as_owner = owning.filter(user=user).values("room_id")
    by_group = owning.filter(group__members__member__user=user).values("room_id")
    through_organization = Room.objects.filter(
        organization__members__role__in=_OWNING_ORGANIZATION_ROLES, organization__members__user=user
    )
    restorable = as_owner.union(by_group, through_organization.values("pk"), all=True)
    return Room.objects.filter(pk__in=restorable, trashed_at__isnull=False)
