"""Reading accounts: what a user may see, and loading it with the right that is needed, or raising.

An organization read here carries `caller_role`, the role in it of the user it was read for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, F, Q, QuerySet

from accounts.errors import NotFoundError, PermissionDeniedError, UnknownUserError
from accounts.models import Group, GroupMember, Organization, OrganizationMember, User
from accounts.policies import OrganizationAbilities, OrganizationAbility, organization_abilities


class CallerColumns(TypedDict):
    """What an organization carries about the user it was read for."""

    caller_role: str


if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    VisibleOrganization = WithAnnotations[Organization, CallerColumns]


def organizations_visible_to(
    user: User | AnonymousUser,
) -> QuerySet[VisibleOrganization]:
    """Every organization the user is a member of; none if they were deactivated."""
    # Filtered first: the annotation then takes the role from the same, single membership.
    memberships = Organization.objects.filter(members__user=user.pk, members__user__is_active=True)
    return memberships.annotate(caller_role=F("members__role"))


def access_organization(
    user: User | AnonymousUser, organization_id: UUID, *, needs: OrganizationAbility = "read"
) -> VisibleOrganization:
    """Load an organization that the user may do `needs` in.

    Raises:
        NotFoundError: it does not exist, or the user is not a member of it.
        PermissionDeniedError: the user is a member of it, without that right.
    """
    organization = organizations_visible_to(user).filter(pk=organization_id).first()
    if organization is None:
        raise NotFoundError("Organization not found.")
    if not getattr(abilities_in(organization), needs):
        raise PermissionDeniedError("Your role in the organization does not allow this.")
    return organization


def abilities_in(organization: VisibleOrganization) -> OrganizationAbilities:
    """The rights of the user for whom `organization` was read here."""
    return organization_abilities(organization.caller_role)


def organization_members_visible_to(user: User, organization_id: UUID) -> QuerySet[OrganizationMember]:
    """The members of an organization, with their users; a guest sees only themselves.

    Raises:
        NotFoundError: the user is not a member of the organization.
    """
    organization = access_organization(user, organization_id)
    members = organization.members.select_related("user")
    return members if abilities_in(organization).list_members else members.filter(user_id=user.pk)


def access_organization_member(user: User, organization_id: UUID, member_id: UUID) -> OrganizationMember:
    """Load one membership that the user may see.

    Raises:
        NotFoundError: no such organization or membership, or the user may not see it.
    """
    member = organization_members_visible_to(user, organization_id).filter(pk=member_id).first()
    if member is None:
        raise NotFoundError("Member not found.")
    return member


def of_address(email: str) -> Q:
    """The memberships of an e-mail address: of the account that has it, or of the address itself."""
    email = email.strip().lower()
    return Q(user__email=email) | Q(email=email)


def groups_visible_to(user: User, organization_id: UUID) -> QuerySet[Group]:
    """The groups of an organization.

    Raises:
        NotFoundError, PermissionDeniedError: the user is no member of the organization, or a guest.
    """
    return access_organization(user, organization_id, needs="list_members").groups.all()


def access_group(user: User, organization_id: UUID, group_id: UUID) -> Group:
    """Load one group that the user may see.

    Raises:
        NotFoundError, PermissionDeniedError: no such group, or see `groups_visible_to`.
    """
    group = groups_visible_to(user, organization_id).filter(pk=group_id).first()
    if group is None:
        raise NotFoundError("Group not found.")
    return group


def group_members_visible_to(user: User, organization_id: UUID, group_id: UUID) -> QuerySet[GroupMember]:
    """Who is in a group, with their users.

    Raises:
        NotFoundError, PermissionDeniedError: see `access_group`.
    """
    return access_group(user, organization_id, group_id).members.select_related("member__user")


def access_group_member(user: User, organization_id: UUID, group_id: UUID, member_id: UUID) -> GroupMember:
    """Load one member of a group.

    Raises:
        NotFoundError, PermissionDeniedError: no such member, or see `access_group`.
    """
    member = group_members_visible_to(user, organization_id, group_id).filter(pk=member_id).first()
    if member is None:
        raise NotFoundError("Member not found.")
    return member


def organizations_only_of(user: User) -> QuerySet[Organization]:
    """The organizations in which this user is alone; who was only invited is not there."""
    people = Organization.objects.annotate(people=Count("members__user"))
    return people.filter(people=1, pk__in=user.organization_memberships.values("organization"))


def get_active_user(*, email: str | None = None, user_id: UUID | None = None) -> User:
    """The active account with an e-mail address (in any case) or, without one, with an id.

    Raises:
        UnknownUserError: none, or it was deactivated.
    """
    known = Q(pk=user_id) if email is None else Q(email=email.strip().lower())
    user = User.objects.filter(known, is_active=True).first()
    if user is None:
        raise UnknownUserError("user" if email is None else "email")
    return user
