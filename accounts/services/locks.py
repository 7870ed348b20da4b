"""The locks that changes of accounts take first, and the order in which everybody takes them.

Organizations, then the heads and the rows of rooms, then groups, then users, then the ends of audit trails;
several of a kind in the order of their ids. Whoever keeps to it waits for others, and never for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from accounts.errors import UnknownGroupError
from accounts.models import Group, Organization, User


def lock_organization(organization_id: UUID) -> None:
    """Keep the organization and its memberships as they are until the transaction ends."""
    lock_organizations([organization_id])


def lock_organizations(organization_ids: Iterable[UUID]) -> list[UUID]:
    """Lock several; the ids of those that there are."""
    # Not the stronger lock: that would also wait for whoever only refers to the row by foreign key.
    rows = Organization.objects.select_for_update(no_key=True).filter(pk__in=organization_ids)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def lock_group(group_id: UUID, *, organization_id: UUID) -> Group:
    """Keep a group of this organization from being deleted, to refer to it.

    Raises:
        UnknownGroupError: there is none.
    """
    rows = Group.objects.select_for_update(no_key=True).filter(pk=group_id, organization_id=organization_id)
    group = rows.first()
    if group is None:
        raise UnknownGroupError
    return group


def lock_active_user(**known: object) -> User | None:
    """Keep an active account from being erased, to refer to it; none if there is none."""
    return User.objects.select_for_update(no_key=True).filter(is_active=True, **known).first()
