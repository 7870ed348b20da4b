"""What someone may do in an organization: the only place where organization roles become rights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from accounts.models import OrganizationRole

OrganizationAbility = Literal[
    "read", "list_members", "create_rooms", "rename", "manage_members", "manage_owners", "audit", "delete"
]


@dataclass(frozen=True, slots=True)
class OrganizationAbilities:
    """What one may do in an organization; nothing by default.

    `list_members`: see the others. `manage_owners`: give, change or take the role of owner. `audit`: read
    the audit trail.
    """

    read: bool = False
    list_members: bool = False
    create_rooms: bool = False
    rename: bool = False
    manage_members: bool = False
    manage_owners: bool = False
    audit: bool = False
    delete: bool = False


_ABILITIES = {
    OrganizationRole.OWNER: OrganizationAbilities(
        read=True,
        list_members=True,
        create_rooms=True,
        rename=True,
        manage_members=True,
        manage_owners=True,
        audit=True,
        delete=True,
    ),
    OrganizationRole.ADMIN: OrganizationAbilities(
        read=True, list_members=True, create_rooms=True, rename=True, manage_members=True, audit=True
    ),
    OrganizationRole.MEMBER: OrganizationAbilities(read=True, list_members=True, create_rooms=True),
    OrganizationRole.GUEST: OrganizationAbilities(read=True),
}


def organization_abilities(role: str | None) -> OrganizationAbilities:
    """The rights that come with a role in an organization; none without one."""
    return _ABILITIES[OrganizationRole(role)] if role else OrganizationAbilities()
