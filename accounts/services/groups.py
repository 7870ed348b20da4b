"""Groups of an organization, and who is in them.

Like memberships they change under the lock of the organization. Whoever is put into a group or leaves it
may gain or lose access in rooms that the group was given: their epoch is raised.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from accounts.audit import AuditAction, record
from accounts.epochs import raise_access_epoch
from accounts.errors import AlreadyMemberError, NameTakenError, NotFoundError, UnknownMemberError
from accounts.models import Group, GroupMember, OrganizationMember, User
from accounts.selectors import access_organization, of_address
from accounts.services.locks import lock_organization, lock_organizations
from accounts.versions import check_unchanged

if TYPE_CHECKING:
    from accounts.selectors import VisibleOrganization


@transaction.atomic
def create_group(*, actor: User, organization_id: UUID, name: str) -> Group:
    """Make a group without members.

    Raises:
        NotFoundError, PermissionDeniedError: the actor may not manage members there.
        NameTakenError: there is one of this name, in any case.
    """
    organization = _access_to_manage(actor, organization_id)
    group = Group(organization=organization, name=name)
    _save(group)
    record(AuditAction.GROUP_CREATED, organization_id=organization_id, actor=actor, subject_id=group.pk)
    return group


@transaction.atomic
def rename_group(
    *,
    actor: User,
    organization_id: UUID,
    group_id: UUID,
    name: str,
    if_match: Collection[str] | None = None,
) -> Group:
    """Give a group another name.

    Raises:
        NotFoundError, PermissionDeniedError: no such group, or the actor may not manage members there.
        ChangedMeanwhileError: see `accounts.versions`.
        NameTakenError: there is another one of this name, in any case.
    """
    group = _get_group(_access_to_manage(actor, organization_id), group_id)
    check_unchanged(group, if_match)
    group.name = name
    _save(group)
    record(
        AuditAction.GROUP_CHANGED,
        organization_id=organization_id,
        actor=actor,
        subject_id=group_id,
        fields="name",
    )
    return group


@transaction.atomic
def delete_group(
    *, actor: User, organization_id: UUID, group_id: UUID, if_match: Collection[str] | None = None
) -> None:
    """Delete a group, and with it what it was given.

    Raises:
        NotFoundError, PermissionDeniedError: no such group, or the actor may not manage members there.
        ChangedMeanwhileError: see `accounts.versions`.
    """
    organization = _access_to_manage(actor, organization_id)
    check_unchanged(_get_group(organization, group_id), if_match)
    # The strong lock: who is about to refer to the group finishes first, or finds it gone.
    group = Group.objects.select_for_update().get(pk=group_id)
    known = group.members.filter(member__user__isnull=False)
    user_ids = list(known.values_list("member__user_id", flat=True))
    group.delete()
    raise_access_epoch(User, *user_ids)
    record(
        AuditAction.GROUP_DELETED,
        organization_id=organization_id,
        actor=actor,
        subject_id=group_id,
        members=len(user_ids),
    )


@transaction.atomic
def add_group_member(
    *,
    actor: User,
    organization_id: UUID,
    group_id: UUID,
    email: str | None = None,
    user_id: UUID | None = None,
) -> GroupMember:
    """Put a member of the organization into a group; one who is only invited, by the e-mail address.

    Raises:
        NotFoundError, PermissionDeniedError: no such group, or the actor may not manage members there.
        UnknownMemberError: the organization has no such member.
        AlreadyMemberError: the group has them.
    """
    organization = _access_to_manage(actor, organization_id)
    group = _get_group(organization, group_id)
    field, known = ("user", Q(user=user_id)) if email is None else ("email", of_address(email))
    member = organization.members.select_related("user").filter(known).first()
    if member is None:
        raise UnknownMemberError(field)
    if group.members.filter(member=member).exists():
        raise AlreadyMemberError(fields={field: [AlreadyMemberError.default_detail]})
    added = GroupMember.objects.create(group=group, member=member)
    _changed(AuditAction.GROUP_MEMBER_ADDED, actor, added)
    return added


@transaction.atomic
def remove_group_member(*, actor: User, organization_id: UUID, group_id: UUID, member_id: UUID) -> None:
    """Take someone out of a group; in the organization they stay.

    Raises:
        NotFoundError, PermissionDeniedError: no such group or member of it, or the actor may not manage
            members there.
    """
    group = _get_group(_access_to_manage(actor, organization_id), group_id)
    _remove(actor, group.members.filter(pk=member_id))


@transaction.atomic
def dangerously_remove_group_member(*, actor: User, member_id: UUID) -> None:
    """Take someone out of a group of whatever organization; asks for no right. For operators.

    Raises:
        NotFoundError: no such member.
    """
    members = GroupMember.objects.filter(pk=member_id)
    lock_organizations(members.values_list("group__organization_id", flat=True))
    _remove(actor, members, operator=True)


def _remove(actor: User, members: QuerySet[GroupMember], **details: Any) -> None:
    member = members.select_related("member").first()
    if member is None:
        raise NotFoundError("Member not found.")
    GroupMember.objects.filter(pk=member.pk).delete()
    _changed(AuditAction.GROUP_MEMBER_REMOVED, actor, member, **details)


def _access_to_manage(actor: User, organization_id: UUID) -> VisibleOrganization:
    lock_organization(organization_id)
    return access_organization(actor, organization_id, needs="manage_members")


def _get_group(organization: VisibleOrganization, group_id: UUID) -> Group:
    group = organization.groups.filter(pk=group_id).first()
    if group is None:
        raise NotFoundError("Group not found.")
    return group


def _save(group: Group) -> None:
    try:
        with transaction.atomic():
            group.save()
    except IntegrityError as error:
        raise NameTakenError from error


def _changed(action: AuditAction, actor: User, changed: GroupMember, **details: Any) -> None:
    member: OrganizationMember = changed.member
    if member.user_id is not None:
        raise_access_epoch(User, member.user_id)
    record(
        action,
        organization_id=member.organization_id,
        actor=actor,
        subject_id=member.user_id,
        group=str(changed.group_id),
        member=str(member.pk),
        **details,
    )
