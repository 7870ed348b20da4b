"""What a change of an organization, and the end of an account, mean for rooms.

What is deleted there takes rows of rooms with it. So the rooms are locked here before, after the
organization: whoever changes one of them meanwhile waits, and finds it as it is afterwards.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import cast
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts import selectors
from accounts.epochs import raise_access_epoch
from accounts.models import OrganizationMember, User
from accounts.selectors import of_address
from accounts.services import groups, organizations, users
from accounts.services.locks import lock_organization, lock_organizations
from collab.models import Room, RoomMember, ShareLinkGrant
from collab.services.locks import lock_documents, lock_rooms


@transaction.atomic
def delete_organization(
    *, actor: User, organization_id: UUID, if_match: Collection[str] | None = None
) -> None:
    """Delete an organization with all its rooms and their documents, for good.

    Raises:
        NotFoundError, PermissionDeniedError, ChangedMeanwhileError: see
            `accounts.services.organizations.delete_organization`.
    """
    lock_organization(organization_id)
    # Asked here too: who may not delete it holds nobody up.
    selectors.access_organization(actor, organization_id, needs="delete")
    lock_documents(Room.objects.filter(organization=organization_id))
    organizations.delete_organization(actor=actor, organization_id=organization_id, if_match=if_match)


@transaction.atomic
def remove_organization_member(
    *, actor: User, organization_id: UUID, member_id: UUID, if_match: Collection[str] | None = None
) -> None:
    """Take someone out of an organization and out of all its rooms; an invited address likewise.

    A room may lose its last owner by this: the owners and admins of the organization own it anyway.

    Raises:
        NotFoundError, PermissionDeniedError, ChangedMeanwhileError, LastOwnerError: see
            `accounts.services.organizations.access_removable_member`.
    """
    member = organizations.access_removable_member(
        actor=actor, organization_id=organization_id, member_id=member_id, if_match=if_match
    )
    _end_access_in_rooms(member)
    organizations.remove_organization_member(
        actor=actor, organization_id=organization_id, member_id=member_id
    )


@transaction.atomic
def delete_group(
    *, actor: User, organization_id: UUID, group_id: UUID, if_match: Collection[str] | None = None
) -> None:
    """Delete a group, and with it what it was given in rooms.

    Raises:
        NotFoundError, PermissionDeniedError, ChangedMeanwhileError: see
            `accounts.services.groups.delete_group`.
    """
    lock_organization(organization_id)
    selectors.access_organization(actor, organization_id, needs="manage_members")
    lock_rooms(Room.objects.filter(organization=organization_id, members__group=group_id))
    groups.delete_group(actor=actor, organization_id=organization_id, group_id=group_id, if_match=if_match)


@transaction.atomic
def erase_user(*, user: User) -> None:
    """Delete an account, all that it holds in rooms, and the organizations in which its owner is alone.

    Raises:
        LastOwnerError: see `accounts.services.users.erase_user`.
    """
    lock_organizations(user.organization_memberships.values_list("organization", flat=True))
    alone_in = list(selectors.organizations_only_of(user))
    lock_documents(Room.objects.filter(organization__in=alone_in))
    lock_rooms(Room.objects.filter(Q(members__user=user) | Q(share_links__grants__user=user)))
    users.erase_user(user=user)


def _end_access_in_rooms(member: OrganizationMember) -> None:
    """All that is held at this address: memberships, invitations that could bring them back, and links.

    An invited address may have an account that shares rooms here, as one from outside.
    """
    email = member.user.email if member.user else cast("str", member.email)
    rooms = Room.objects.filter(organization=member.organization_id)
    memberships = RoomMember.objects.filter(of_address(email), room__in=rooms)
    grants = ShareLinkGrant.objects.filter(link__room__in=rooms, user__email=email)
    concerned = Q(pk__in=memberships.values("room")) | Q(pk__in=grants.values("link__room"))
    lock_rooms(rooms.filter(concerned))
    memberships.delete()
    grants.delete()
    if member.user is None:
        raise_access_epoch(User, *User.objects.filter(email=email).values_list("pk", flat=True))
