"""Invitations that become memberships."""

from __future__ import annotations

from operator import attrgetter
from typing import cast

from django.db import transaction

from accounts.audit import AuditAction, record
from accounts.epochs import raise_access_epoch
from accounts.invitations import TakenUp, check_invitation_token
from accounts.models import OrganizationMember, OrganizationRole, User
from accounts.services.locks import lock_organizations
from accounts.signals import invitations_due


@transaction.atomic
def accept_invitations(*, user: User, token: str) -> None:
    """Take up everything that the user's address is invited to; nothing happens if that is nothing.

    Args:
        token: from the mail of any of these invitations.

    Raises:
        InvalidInvitationError: it was not made for this address, or is too old.
    """
    check_invitation_token(token, email=user.email, field="token")
    record_taken_up(user, take_up_invitations(user))


@transaction.atomic
def take_up_invitations(user: User) -> list[TakenUp]:
    """Make every invitation of the user's address a membership of theirs; where there is one, the stronger
    role stays. The caller knows that the address is theirs.

    Returns:
        What is to be told to `record_taken_up`, after everything else that the transaction locks.
    """
    invitations = OrganizationMember.objects.filter(email=user.email)
    locked = lock_organizations(invitations.values_list("organization_id", flat=True))
    told = invitations_due.send(sender=User, user=user)
    taken = [row for _, rows in told for row in cast("list[TakenUp]", rows)]
    taken += [_take_up(invitation, user) for invitation in invitations.filter(organization__in=locked)]
    if taken:
        raise_access_epoch(User, user.pk)
    return taken


def record_taken_up(user: User, taken: list[TakenUp]) -> None:
    """Write it into the audit trails."""
    for row in sorted(taken, key=attrgetter("organization_id")):
        record(
            AuditAction.INVITATION_TAKEN_UP,
            organization_id=row.organization_id,
            actor=user,
            room_id=row.room_id,
            subject_id=user.pk,
            role=row.role,
            member=str(row.member_id),
        )


def _take_up(invitation: OrganizationMember, user: User) -> TakenUp:
    taken = TakenUp(invitation.organization_id, None, invitation.pk, invitation.role)
    member = OrganizationMember.objects.filter(organization=taken.organization_id, user=user).first()
    if member is None:
        invitation.user, invitation.email = user, None
        invitation.save(update_fields=["user", "email"])
        return taken
    groups = member.group_memberships.values_list("group_id", flat=True)
    invitation.group_memberships.exclude(group__in=list(groups)).update(member=member)
    invitation.delete()
    member.role = min(member.role, invitation.role, key=OrganizationRole.values.index)
    member.save(update_fields=["role"])
    return taken._replace(member_id=member.pk)
