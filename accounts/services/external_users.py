"""People whom an identity provider vouches for.

The first token of somebody makes their account, or finds the one that has the same address if the provider
has verified it, and makes them a member of the organization that the token names. A person may come with
tokens for several organizations, one after the other, and becomes a member of each. Memberships are given
once: somebody who was taken out, or was given another role, stays so whatever their next token says.
"""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from accounts.audit import AuditAction, record
from accounts.epochs import raise_access_epoch
from accounts.invitations import is_taken_up_unproved
from accounts.models import ExternalIdentity, Organization, OrganizationMember, OrganizationRole, User
from accounts.oidc import ExternalClaims, ExternalTokenError, ProviderSettings, Verifier
from accounts.services.invitations import record_taken_up, take_up_invitations
from accounts.services.locks import lock_organizations
from accounts.tokens import MAX_TOKEN_BYTES, Credential, TokenRefusedError, check_active

ADDRESS_TAKEN = "This e-mail address has an account, and the identity provider has not verified it as yours."


def verifier_of(raw: bytes) -> Verifier | None:
    """Who has to verify this token, if not we ourselves."""
    provider: ProviderSettings | None = settings.IDENTITY_PROVIDER
    if provider is None or len(raw) > MAX_TOKEN_BYTES:
        return None
    verifier = _verifier(provider)
    return verifier if verifier.claims(raw) else None


@cache
def _verifier(provider: ProviderSettings) -> Verifier:
    return Verifier(provider)


def verify_external_token(verifier: Verifier, raw: bytes) -> ExternalClaims:
    """Asks no database.

    Raises:
        TokenRefusedError: it is not good.
        ProviderUnavailableError: nobody can say.
    """
    try:
        return verifier.verify(raw)
    except ExternalTokenError as error:
        raise TokenRefusedError(str(error)) from error


def sign_in_external_user(claims: ExternalClaims) -> tuple[User, Credential]:
    """The user that a verified token is about: one query, unless it is the first of its kind.

    Raises:
        TokenRefusedError: the user was deactivated, or can't be given an account.
    """
    user = _find(claims)
    if user is None:
        try:
            user = _introduce(claims)
        except IntegrityError:  # by another token of the same person, in this moment
            user = _introduce(claims)
    check_active(user)
    return user, Credential(user.pk, claims.expires_at)


def _find(claims: ExternalClaims) -> User | None:
    """Whoever has been here before, with a token for this organization."""
    given = ExternalIdentity.organizations.through.objects.filter(
        externalidentity=OuterRef("pk"), organization__external_id=claims.organization
    )
    known = ExternalIdentity.objects.filter(Exists(given), issuer=claims.issuer, subject=claims.subject)
    identity = known.select_related("user").first()
    return None if identity is None else identity.user


@transaction.atomic
def _introduce(claims: ExternalClaims) -> User:
    user, is_address_theirs = _user_of(claims)
    check_active(user)
    organization, _ = Organization.objects.get_or_create(
        external_id=claims.organization, defaults={"name": claims.organization[:150]}
    )
    identity, is_new = ExternalIdentity.objects.get_or_create(
        issuer=claims.issuer, subject=claims.subject, defaults={"user": user}
    )
    identity.organizations.add(organization)
    invited_to = OrganizationMember.objects.filter(email=user.email).values_list("organization_id", flat=True)
    lock_organizations([organization.pk, *invited_to])
    taken = take_up_invitations(user) if is_new and is_address_theirs else []
    _, is_added = OrganizationMember.objects.get_or_create(
        organization=organization, user=user, defaults={"role": OrganizationRole.MEMBER}
    )
    raise_access_epoch(User, user.pk)
    record_taken_up(user, [row for row in taken if row.organization_id < organization.pk])
    if is_added:
        record(
            AuditAction.ORGANIZATION_MEMBER_ADDED,
            organization_id=organization.pk,
            actor=None,
            subject_id=user.pk,
            role=OrganizationRole.MEMBER.value,
            by="identity_provider",
        )
    record_taken_up(user, [row for row in taken if row.organization_id >= organization.pk])
    return user


def _user_of(claims: ExternalClaims) -> tuple[User, bool]:
    """The account for a token, made if there is none, and whether its address may be taken for theirs."""
    identity = ExternalIdentity.objects.filter(issuer=claims.issuer, subject=claims.subject)
    if known := identity.select_related("user").first():
        return known.user, False
    email = claims.email.lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise TokenRefusedError("Token has no e-mail address to make an account for.") from error
    if holder := User.objects.filter(email=email).first():
        if not claims.is_email_verified:
            raise TokenRefusedError(ADDRESS_TAKEN, "email_taken")
        return holder, True
    user = User.objects.create_user(email, name=(claims.name or email)[:150])
    return user, claims.is_email_verified or is_taken_up_unproved()
