"""Organizations and their members.

Whoever changes memberships of an organization first locks its row, so that the caller's own role and
the number of owners, which decide what is allowed, can't move before the change is committed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction

from accounts.audit import AuditAction, record
from accounts.epochs import announce_access_change, raise_access_epoch
from accounts.errors import AlreadyMemberError, LastOwnerError, NotFoundError, PermissionDeniedError
from accounts.invitations import announce_member
from accounts.models import Organization, OrganizationMember, OrganizationRole, User
from accounts.selectors import abilities_in, access_organization, of_address
from accounts.services.locks import lock_active_user, lock_organization
from accounts.versions import check_unchanged

if TYPE_CHECKING:
    from accounts.selectors import VisibleOrganization


@transaction.atomic
def create_organization(*, owner: User, name: str) -> Organization:
    """Make an organization with its first owner."""
    organization = Organization.objects.create(name=name)
    OrganizationMember.objects.create(organization=organization, user=owner, role=OrganizationRole.OWNER)
    record(AuditAction.ORGANIZATION_CREATED, organization_id=organization.pk, actor=owner)
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
    record(AuditAction.ORGANIZATION_CHANGED, organization_id=organization_id, actor=actor, fields="name")
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
    record(AuditAction.ORGANIZATION_DELETED, organization_id=organization_id, actor=actor)


@transaction.atomic
def add_organization_member(
    *, actor: User, organization_id: UUID, email: str, role: OrganizationRole
) -> OrganizationMember:
    """Make the account with this e-mail address a member, or invite the address.

    An address whose account was deactivated is invited like one that has none.

    Raises:
        NotFoundError, PermissionDeniedError: the actor may not add members, or not with this role.
        AlreadyMemberError: it is a member, or invited.
    """
    organization = _access_to_manage(actor, organization_id, role)
    email = email.strip().lower()
    if organization.members.filter(of_address(email)).exists():
        raise AlreadyMemberError(fields={"email": [AlreadyMemberError.default_detail]})
    user = lock_active_user(email=email)
    member = OrganizationMember.objects.create(
        organization=organization, user=user, email=None if user else email, role=role
    )
    _raise_epoch_of(member)
    announce_member(member, actor)
    _record(AuditAction.ORGANIZATION_MEMBER_ADDED, actor, member, role=role.value)
    return member


@transaction.atomic
def change_organization_member_role(
    *,
    actor: User,
    organization_id: UUID,
    member_id: UUID,
    role: OrganizationRole,
    if_match: Collection[str] | None = None,
) -> OrganizationMember:
    """Give a member another role.

    Raises:
        NotFoundError, PermissionDeniedError: no such member, or the actor may not change it.
        ChangedMeanwhileError: see `accounts.versions`.
        LastOwnerError: nobody would be left to own the organization.
    """
    organization = _access_to_manage(actor, organization_id, role)
    member = _get_manageable_member(organization, member_id)
    check_unchanged(member, if_match)
    if role != OrganizationRole.OWNER:
        _keep_an_owner(member)
    previous, member.role = member.role, role
    member.save(update_fields=["role"])
    _raise_epoch_of(member)
    _record(AuditAction.ORGANIZATION_MEMBER_CHANGED, actor, member, role=role.value, previous_role=previous)
    return member


def access_removable_member(
    *, actor: User, organization_id: UUID, member_id: UUID, if_match: Collection[str] | None = None
) -> OrganizationMember:
    """Lock the organization, and load a member whom the actor may take out of it.

    Raises:
        NotFoundError, PermissionDeniedError: no such member, or the actor may not remove it.
        ChangedMeanwhileError: see `accounts.versions`.
        LastOwnerError: nobody would be left to own the organization.
    """
    organization = _access_to_manage(actor, organization_id)
    member = _get_manageable_member(organization, member_id)
    check_unchanged(member, if_match)
    _keep_an_owner(member)
    return member


@transaction.atomic
def remove_organization_member(
    *, actor: User, organization_id: UUID, member_id: UUID, if_match: Collection[str] | None = None
) -> None:
    """Take someone, or an invitation, out of an organization and its groups.

    What they hold in its rooms is for the layer above to end, before this.

    Raises: as `access_removable_member`.
    """
    member = access_removable_member(
        actor=actor, organization_id=organization_id, member_id=member_id, if_match=if_match
    )
    OrganizationMember.objects.filter(pk=member.pk).delete()
    _raise_epoch_of(member)
    _record(AuditAction.ORGANIZATION_MEMBER_REMOVED, actor, member, role=member.role)


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


def _record(action: AuditAction, actor: User, member: OrganizationMember, **details: Any) -> None:
    record(
        action,
        organization_id=member.organization_id,
        actor=actor,
        subject_id=member.user_id,
        member=str(member.pk),
        **details,
    )


def _raise_epoch_of(member: OrganizationMember) -> None:
    if member.user_id is not None:
        raise_access_epoch(User, member.user_id)


def _keep_an_owner(member: OrganizationMember) -> None:
    """A deactivated owner does not count: nobody could act as them. An invited one is none yet."""
    if member.role != OrganizationRole.OWNER or member.user_id is None:
        return
    others = OrganizationMember.objects.filter(
        organization_id=member.organization_id, role=OrganizationRole.OWNER, user__is_active=True
    ).exclude(pk=member.pk)
    if not others.exists():
        raise LastOwnerError
