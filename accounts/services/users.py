"""People: making an account, what someone may change about themselves, and the end of an account."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, transaction
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts.audit import AuditAction, record
from accounts.epochs import announce_access_change, raise_access_epoch
from accounts.errors import EmailTakenError, LastOwnerError
from accounts.invitations import check_invitation_token, is_taken_up_unproved
from accounts.models import Organization, OrganizationMember, OrganizationRole, User
from accounts.selectors import organizations_only_of
from accounts.services.invitations import record_taken_up, take_up_invitations
from accounts.services.locks import lock_organizations
from accounts.services.organizations import create_organization
from accounts.services.passwords import check_password_strength
from accounts.services.sessions import end_all_sessions
from accounts.versions import check_unchanged


@transaction.atomic
def register_user(*, email: str, password: str, name: str, invitation: str | None = None) -> User:
    """Make an account and the user's own organization, of the same name, and take up their invitations.

    Args:
        invitation: the token of an invitation's mail, which proves that the address is theirs. Without it
            invitations wait, if they have to be verified.

    Raises:
        InvalidInvitationError: the token was not made for this address, or is too old.
        EmailTakenError: there is an account with this address, in any case.
        InvalidError: the password is too weak.
    """
    if invitation is not None:
        check_invitation_token(invitation, email=email, field="invitation")
    check_password_strength(password, user=User(email=email, name=name), field="password")
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name)
    except IntegrityError as error:
        raise EmailTakenError from error
    create_organization(owner=user, name=name)
    if invitation is not None or is_taken_up_unproved():
        record_taken_up(user, take_up_invitations(user))
    return user


@transaction.atomic
def rename_user(*, user: User, name: str, if_match: Collection[str] | None = None) -> User:
    """Change the name that others see, those in a room with them too.

    Raises:
        ChangedMeanwhileError: see `accounts.versions`.
    """
    check_unchanged(User.objects.select_for_update(no_key=True).get(pk=user.pk), if_match)
    user.name = name
    user.save(update_fields=["name"])
    raise_access_epoch(User, user.pk)
    return user


@transaction.atomic
def deactivate_user(*, user: User, actor: User | None) -> None:
    """Keep someone from signing in and from all they have access to, until they are activated again.

    Their sessions end for good.
    """
    if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        user.is_active = False
        end_all_sessions(user)
        _record(AuditAction.USER_DEACTIVATED, user, _organization_ids_of(user), actor)


@transaction.atomic
def activate_user(*, user: User, actor: User | None) -> None:
    """Give back what `deactivate_user` took, and what the address was invited to meanwhile."""
    if not User.objects.filter(pk=user.pk, is_active=False).exists():
        return
    taken = take_up_invitations(user) if is_taken_up_unproved() else []
    User.objects.filter(pk=user.pk).update(is_active=True)
    user.is_active = True
    raise_access_epoch(User, user.pk)
    record_taken_up(user, taken)
    _record(AuditAction.USER_ACTIVATED, user, _organization_ids_of(user), actor)


@transaction.atomic
def erase_user(*, user: User) -> None:
    """Delete an account and everything that names its owner, and the organizations in which they are alone.

    What stays: ids in audit trails, which have to be whole, and in the logs of documents; and invitations of
    their address that they never took up, for nobody has shown that the address is theirs.

    Raises:
        LastOwnerError: an organization that has other members would be left without an owner.
    """
    organization_ids = lock_organizations(_organization_ids_of(user))
    alone_in = list(organizations_only_of(user).values_list("pk", flat=True))
    for organization_id in organization_ids:
        if organization_id not in alone_in:
            _keep_an_owner(organization_id, user)
    # The strong lock: who is about to refer to the account finishes first, or finds it gone.
    User.objects.select_for_update().filter(pk=user.pk).first()
    Organization.objects.filter(pk__in=alone_in).delete()
    _forget(user)
    announce_access_change(User, user.pk)
    if alone_in:
        announce_access_change(Organization, *alone_in)
    for organization_id in organization_ids:
        is_gone = organization_id in alone_in
        action = AuditAction.ORGANIZATION_DELETED if is_gone else AuditAction.USER_ERASED
        record(action, organization_id=organization_id, actor=user, subject_id=user.pk)


def _forget(user: User) -> None:
    # The token library only lets go of the account, and the admin's history keeps what a user was called.
    OutstandingToken.objects.filter(user=user.pk).delete()
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk)
    )
    entries.update(object_repr=str(user.pk))
    User.objects.filter(pk=user.pk).delete()


def _keep_an_owner(organization_id: UUID, user: User) -> None:
    """A deactivated owner does not count: nobody could act as them."""
    owners = OrganizationMember.objects.filter(
        organization=organization_id, role=OrganizationRole.OWNER, user__is_active=True
    )
    ids = set(owners.values_list("user_id", flat=True))
    if ids == {user.pk}:
        raise LastOwnerError(
            "You are the last owner of an organization that has other members. Give it another owner, or "
            "delete it, before your account."
        )


def _organization_ids_of(user: User) -> list[UUID]:
    return list(user.organization_memberships.order_by("organization").values_list("organization", flat=True))


def _record(action: AuditAction, user: User, organization_ids: list[UUID], actor: User | None) -> None:
    for organization_id in organization_ids:
        record(action, organization_id=organization_id, actor=actor, subject_id=user.pk, operator=True)
