"""What a change of an organization means for its rooms."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db import transaction

from accounts.models import User
from accounts.services import organizations
from collab.models import Room, RoomHead, RoomMember


@transaction.atomic
def delete_organization(
    *, actor: User, organization_id: UUID, if_match: Collection[str] | None = None
) -> None:
    """Delete an organization with all its rooms and their documents, for good.

    Raises:
        NotFoundError, PermissionDeniedError, ChangedMeanwhileError: see
            `accounts.services.organizations.delete_organization`.
    """
    organizations.lock_organization(organization_id)
    # In the order in which others lock, or the two would wait for each other: the log's writers take
    # the heads, whoever changes members takes the room and then its members.
    heads = RoomHead.objects.filter(room__organization=organization_id)
    list(heads.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    rooms = Room.objects.filter(organization=organization_id)
    list(rooms.select_for_update().order_by("pk").values_list("pk"))
    organizations.delete_organization(actor=actor, organization_id=organization_id, if_match=if_match)


@transaction.atomic
def remove_organization_member(*, actor: User, organization_id: UUID, member_id: UUID) -> None:
    """Take someone out of an organization and out of all its rooms.

    A room may lose its last owner by this: the owners and admins of the organization own it anyway.

    Raises:
        NotFoundError, PermissionDeniedError, LastOwnerError: see
            `accounts.services.organizations.remove_organization_member`.
    """
    user_id = organizations.remove_organization_member(
        actor=actor, organization_id=organization_id, member_id=member_id
    )
    if user_id is not None:
        RoomMember.objects.filter(room__organization_id=organization_id, user_id=user_id).delete()
