"""Organizations and their members.

Whoever changes memberships of an organization first locks its row, so that the caller's own role and
the number of owners, which decide what is allowed, can't move before the change is committed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction

from accounts.epochs import announce_access_change, raise_access_epoch
from accounts.errors import AlreadyMemberError, LastOwnerError, NotFoundError, PermissionDeniedError
from accounts.models import Organization, OrganizationMember, OrganizationRole, User
from accounts.selectors import abilities_in, access_organization, get_active_user
from accounts.versions import check_unchanged

if TYPE_CHECKING:
    from accounts.selectors import VisibleOrganization


@transaction.atomic
def create_organization(*, owner: User, name: str) -> Organization:
    """Make an organization with its first owner."""
    organization = Organization.objects.create(name=name)
    OrganizationMember.objects.create(organization=organization, user=owner, role=OrganizationRole.OWNER)
    return organization


@transaction.atomic
def rename_organization(
    *, actor: User, organization_id: UUID, name: str, if_match: Collection[str] | None = None
) -> Organization:
    """Give an organization another name.

    Raises:
        NotFoundError, PermissionDeniedError: only owners and admins may.
        ChangedMeanwhileError: see `accounts.versions`.
    """
    lock_organization(organization_id)
    organization = access_organization(actor, organization_id, needs="rename")
    check_unchanged(organization, if_match)
    organization.name = name
    organization.save(update_fields=["name"])
    return organization


@transaction.atomic
def delete_organization(
    *, actor: User, organization_id: UUID, if_match: Collection[str] | None = None
) -> None:
    """Delete an organization and all that belongs to it, rooms and documents too, for good.

    Raises:
        NotFoundError, PermissionDeniedError: only an owner may.
        ChangedMeanwhileError: see `accounts.versions`.
    """
    lock_organization(organization_id)
    organization = access_organization(actor, organization_id, needs="delete")
    check_unchanged(organization, if_match)
    organization.delete()
    announce_access_change(Organization, organization_id)


@transaction.atomic
def add_organization_member(
    *, actor: User, organization_id: UUID, email: str, role: OrganizationRole
) -> OrganizationMember:
    """Make the account with this e-mail address a member.

    Raises:
        NotFoundError, PermissionDeniedError: the actor may not add members, or not with this role.
        UnknownUserError, AlreadyMemberError: this address can't be added.
    """
    organization = _access_to_manage(actor, organization_id, role)
    user = get_active_user(email=email)
    if organization.members.filter(user=user).exists():
        raise AlreadyMemberError(fields={"email": [AlreadyMemberError.default_detail]})
    member = OrganizationMember.objects.create(organization=organization, user=user, role=role)
    raise_access_epoch(User, user.pk)
    return member


@transaction.atomic
def change_organization_member_role(
    *, actor: User, organization_id: UUID, member_id: UUID, role: OrganizationRole
) -> OrganizationMember:
    """Give a member another role.

    Raises:
        NotFoundError, PermissionDeniedError: no such member, or the actor may not change it.
        LastOwnerError: nobody would be left to own the organization.
    """
    organization = _access_to_manage(actor, organization_id, role)
    member = _get_manageable_member(organization, member_id)
    if role != OrganizationRole.OWNER:
        _keep_an_owner(member)
    member.role = role
    member.save(update_fields=["role"])
    _raise_epoch_of(member)
    return member


@transaction.atomic
def remove_organization_member(*, actor: User, organization_id: UUID, member_id: UUID) -> UUID | None:
    """Take someone out of an organization; what they hold inside it is for the layers above to end.

    Returns:
        The id of the user who was removed; none if it was an invitation.

    Raises:
        NotFoundError, PermissionDeniedError: no such member, or the actor may not remove it.
        LastOwnerError: nobody would be left to own the organization.
    """
    organization = _access_to_manage(actor, organization_id)
    member = _get_manageable_member(organization, member_id)
    _keep_an_owner(member)
    member.delete()
    _raise_epoch_of(member)
    return member.user_id


def lock_organization(organization_id: UUID) -> None:
    """Keep the organization and its memberships as they are until the transaction ends."""
    # Not the stronger lock: that would also wait for whoever only refers to the row by foreign key.
    Organization.objects.select_for_update(no_key=True).filter(pk=organization_id).first()


def _access_to_manage(
    actor: User, organization_id: UUID, new_role: OrganizationRole | None = None
) -> VisibleOrganization:
    lock_organization(organization_id)
    organization = access_organization(actor, organization_id, needs="manage_members")
    _check_may_handle(organization, new_role)
    return organization


def _get_manageable_member(organization: VisibleOrganization, member_id: UUID) -> OrganizationMember:
    member = organization.members.select_related("user").filter(pk=member_id).first()
    if member is None:
        raise NotFoundError("Member not found.")
    _check_may_handle(organization, member.role)
    return member


def _check_may_handle(organization: VisibleOrganization, role: str | None) -> None:
    if role == OrganizationRole.OWNER and not abilities_in(organization).manage_owners:
        raise PermissionDeniedError("Only an owner may give, change or take the role of owner.")


def _raise_epoch_of(member: OrganizationMember) -> None:
    if member.user_id is not None:
        raise_access_epoch(User, member.user_id)


def _keep_an_owner(member: OrganizationMember) -> None:
    """A deactivated owner does not count: nobody could act as them."""
    others = OrganizationMember.objects.filter(
        organization_id=member.organization_id, role=OrganizationRole.OWNER, user__is_active=True
    ).exclude(pk=member.pk)
    if member.role == OrganizationRole.OWNER and not others.exists():
        raise LastOwnerError
