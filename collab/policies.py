"""What someone may do in a room or an organization: the only place where roles become rights.

HTTP and WebSocket ask the same two questions: `room_access(grants)`, from everything that gives
a user a role in a room, and `organization_abilities(role)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from accounts.models import OrganizationRole
from collab.models import RoomRole

_STRENGTH = {None: 0, RoomRole.VIEWER: 1, RoomRole.EDITOR: 2, RoomRole.OWNER: 3}


@dataclass(frozen=True, slots=True)
class Abilities:
    """What one may do in a room; the shape every room payload carries."""

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


@dataclass(frozen=True, slots=True)
class Grants:
    """Everything that can give one user a role in one room, as stored."""

    member_role: str | None
    organization_member_role: str | None
    organization_wide_role: str | None
    is_trashed: bool = False
    is_active_user: bool = True


def room_access(grants: Grants) -> Access:
    """The strongest of all grants. Owners and admins of the organization own its rooms.

    A guest of the organization has only what was granted to them in the room itself. A room in the
    trash, and a user who was deactivated, have no access at all.
    """
    if grants.is_trashed or not grants.is_active_user:
        return NO_ACCESS
    roles = [grants.member_role]
    match grants.organization_member_role:
        case OrganizationRole.OWNER | OrganizationRole.ADMIN:
            roles.append(RoomRole.OWNER)
        case OrganizationRole.MEMBER:
            roles.append(grants.organization_wide_role)
    strongest = max(roles, key=lambda role: _STRENGTH[RoomRole(role) if role else None])
    return Access.of(RoomRole(strongest) if strongest else None)
