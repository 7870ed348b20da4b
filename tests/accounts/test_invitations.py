"""Invitations: whom their tokens let in, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core import signing
from django.test import override_settings

from accounts.errors import AlreadyMemberError, InvalidInvitationError
from accounts.invitations import TOKEN_LIFETIME_S, check_invitation_token, make_invitation_token
from accounts.models import AuditEntry, OrganizationMember, OrganizationRole, User
from accounts.services import invitations, organizations, users
from accounts.signals import member_added
from tests.factories import (
    add_to_organization,
    make_group,
    make_organization,
    make_user,
    recorded_access_changes,
)

pytestmark = pytest.mark.django_db

EMAIL = "grace@example.com"
OWNER, ADMIN, MEMBER, GUEST = OrganizationRole
register = partial(
    users.register_user, email="Grace@Example.com", password="correct-horse-battery", name="Grace"
)
verified = override_settings(VERIFY_INVITATIONS=True)
unverified = override_settings(VERIFY_INVITATIONS=False)


def token_of_age(age: timedelta, monkeypatch: pytest.MonkeyPatch) -> str:
    then = (datetime.now(tz=UTC) - age).timestamp()
    with monkeypatch.context() as patch:
        patch.setattr(signing.time, "time", lambda: then)
        return make_invitation_token(EMAIL)


BAD_TOKENS: dict[str, Callable[[], str]] = {
    "of another address": lambda: make_invitation_token("mallory@example.com"),
    "altered": lambda: "x" + make_invitation_token(EMAIL),
    "of another purpose": lambda: signing.dumps(EMAIL, salt="api.pagination:created_at"),
    "garbage": lambda: "garbage",
    "empty": lambda: "",
    "not ASCII": lambda: "jalapeño:ü:☃",
}


@pytest.mark.parametrize("make", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
def test_bad_token_is_refused_for_its_field_and_changes_nothing(make: Callable[[], str]) -> None:
    organization = make_organization(owner=make_user())
    add_to_organization(organization, EMAIL, MEMBER)
    user = make_user(email=EMAIL)
    with pytest.raises(InvalidInvitationError) as error:
        invitations.accept_invitations(user=user, token=make())
    assert list(error.value.fields) == ["token"]
    assert organization.members.filter(email=EMAIL).exists()


def test_token_is_good_for_its_lifetime_and_no_longer(monkeypatch) -> None:
    lifetime = timedelta(seconds=TOKEN_LIFETIME_S)
    check = partial(check_invitation_token, email=EMAIL, field="token")
    check(token_of_age(lifetime - timedelta(minutes=1), monkeypatch))
    with pytest.raises(InvalidInvitationError):
        check(token_of_age(lifetime + timedelta(minutes=1), monkeypatch))


def test_token_is_good_for_its_address_in_any_case() -> None:
    check_invitation_token(
        make_invitation_token("Grace@Example.COM"), email="gRACE@example.com", field="token"
    )


@pytest.mark.parametrize("make", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
@unverified
def test_register_with_a_bad_token_raises_and_leaves_nothing(make: Callable[[], str]) -> None:
    with pytest.raises(InvalidInvitationError) as error:
        register(invitation=make())
    assert list(error.value.fields) == ["invitation"]
    assert not User.objects.exists()


@verified
def test_register_without_a_token_leaves_invitations_pending_where_they_are_verified() -> None:
    organization = make_organization(owner=make_user())
    invitation = add_to_organization(organization, EMAIL, ADMIN)
    user = register()
    invitation.refresh_from_db()
    assert (invitation.user, invitation.email) == (None, EMAIL)
    assert not organization.members.filter(user=user).exists()


@pytest.mark.parametrize("is_verified", [True, False])
def test_register_takes_up_every_invitation_of_the_address(is_verified: bool) -> None:
    one, two = make_organization(owner=make_user()), make_organization(owner=make_user())
    invited = [add_to_organization(one, EMAIL, ADMIN), add_to_organization(two, EMAIL, GUEST)]
    others = add_to_organization(one, "other@example.com", MEMBER)
    with override_settings(VERIFY_INVITATIONS=is_verified):
        user = register(**({"invitation": make_invitation_token(EMAIL)} if is_verified else {}))
    for before in invited:
        now = OrganizationMember.objects.get(pk=before.pk)
        assert (now.user, now.email, now.role) == (user, None, before.role)
    others.refresh_from_db()
    assert others.email == "other@example.com"


@verified
def test_accept_takes_up_and_announces_the_user(django_capture_on_commit_callbacks) -> None:
    organization, user = make_organization(owner=make_user()), make_user(email=EMAIL)
    add_to_organization(organization, EMAIL, MEMBER)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        invitations.accept_invitations(user=user, token=make_invitation_token(EMAIL))
    assert organization.members.get(user=user).role == MEMBER
    assert changes == [(User, user.pk)]


def test_accept_of_nothing_announces_nobody(django_capture_on_commit_callbacks) -> None:
    user = make_user(email=EMAIL)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        invitations.accept_invitations(user=user, token=make_invitation_token(EMAIL))
    assert changes == []
    assert not AuditEntry.objects.exists()


def test_invitation_that_was_withdrawn_is_not_taken_up() -> None:
    owner, user = make_user(), make_user(email=EMAIL)
    organization = make_organization(owner=owner)
    invitation = add_to_organization(organization, EMAIL, MEMBER)
    organizations.remove_organization_member(
        actor=owner, organization_id=organization.pk, member_id=invitation.pk
    )
    invitations.accept_invitations(user=user, token=make_invitation_token(EMAIL))
    assert not organization.members.filter(user=user).exists()


def test_invitation_in_a_group_brings_its_member_into_the_group() -> None:
    organization, user = make_organization(owner=make_user()), make_user(email=EMAIL)
    invitation = add_to_organization(organization, EMAIL, MEMBER)
    group = make_group(organization)
    group.members.create(member=invitation)
    invitations.accept_invitations(user=user, token=make_invitation_token(EMAIL))
    assert group.members.get().member.user == user


@pytest.mark.parametrize(
    ("held", "invited", "kept"), [(GUEST, ADMIN, ADMIN), (ADMIN, GUEST, ADMIN), (MEMBER, MEMBER, MEMBER)]
)
def test_invitation_of_a_member_leaves_the_stronger_role_and_all_groups(
    held: OrganizationRole, invited: OrganizationRole, kept: OrganizationRole
) -> None:
    organization, user = make_organization(owner=make_user()), make_user(email=EMAIL)
    member = add_to_organization(organization, user, held)
    invitation = add_to_organization(organization, EMAIL, invited)
    both, only = make_group(organization, user), make_group(organization)
    for group in (both, only):
        group.members.create(member=invitation)
    invitations.accept_invitations(user=user, token=make_invitation_token(EMAIL))
    member.refresh_from_db()
    assert (member.role, organization.members.filter(email=EMAIL).exists()) == (kept, False)
    assert [group.members.get().member for group in (both, only)] == [member, member]


@pytest.mark.parametrize("state", ["invited", "deactivated"])
def test_invite_twice_raises(state: str) -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    invite = partial(
        organizations.add_organization_member, actor=owner, organization_id=organization.pk, role=MEMBER
    )
    if state == "deactivated":
        add_to_organization(organization, make_user(email=EMAIL, is_active=False), MEMBER)
    else:
        invite(email=EMAIL)
    with pytest.raises(AlreadyMemberError):
        invite(email="GRACE@example.com")


def test_invited_account_that_registered_meanwhile_still_has_to_prove_its_address() -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    add_to_organization(organization, EMAIL, MEMBER)
    make_user(email=EMAIL)
    with pytest.raises(AlreadyMemberError):
        organizations.add_organization_member(
            actor=owner, organization_id=organization.pk, email=EMAIL, role=ADMIN
        )
    assert organization.members.get(email=EMAIL).role == MEMBER


@pytest.mark.parametrize("account", [None, False])
def test_invite_an_address_without_an_active_account_moves_nobody_and_is_the_same_for_both(
    account: bool | None, django_capture_on_commit_callbacks
) -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    if account is not None:
        make_user(email=EMAIL, is_active=account)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        member = organizations.add_organization_member(
            actor=owner, organization_id=organization.pk, email="GRACE@Example.com", role=ADMIN
        )
    assert (member.user, member.email, member.role, changes) == (None, EMAIL, ADMIN, [])


@pytest.mark.parametrize("role", [OWNER, ADMIN])
def test_invited_owner_is_no_owner_and_can_always_be_lowered_or_removed(role: OrganizationRole) -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    invitation = add_to_organization(organization, EMAIL, OWNER)
    act = {"actor": owner, "organization_id": organization.pk, "member_id": invitation.pk}
    organizations.change_organization_member_role(**act, role=role)
    organizations.remove_organization_member(**act)
    assert [member.user for member in organization.members.all()] == [owner]


@pytest.mark.parametrize("email", [EMAIL, "ada@example.com"])
def test_member_added_is_sent_after_the_commit_with_the_membership_and_who_did_it(
    email: str, django_capture_on_commit_callbacks
) -> None:
    owner, _ = make_user(), make_user(email="ada@example.com")
    organization = make_organization(owner=owner)
    heard: list[dict[str, Any]] = []

    def hear(**told: Any) -> None:
        heard.append(told)

    member_added.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            member = organizations.add_organization_member(
                actor=owner, organization_id=organization.pk, email=email, role=MEMBER
            )
            assert heard == []
    finally:
        member_added.disconnect(hear)
    assert [(told["sender"], told["membership"], told["actor"]) for told in heard] == [
        (OrganizationMember, member, owner)
    ]


def test_invitations_are_audited_without_the_address() -> None:
    owner, user = make_user(), make_user(email=EMAIL)
    one, two = sorted((make_organization(owner=owner) for _ in range(2)), key=lambda row: row.pk)
    member = add_to_organization(two, EMAIL, GUEST)
    other = organizations.add_organization_member(
        actor=owner, organization_id=one.pk, email="other@example.com", role=MEMBER
    )
    invitations.accept_invitations(user=user, token=make_invitation_token(EMAIL))
    added = AuditEntry.objects.get(organization_id=one.pk)
    taken = AuditEntry.objects.get(organization_id=two.pk)
    assert (added.action, added.actor_id, added.subject_id) == ("organization.member.added", owner.pk, None)
    assert added.details == {"role": "member", "member": str(other.pk)}
    assert (taken.action, taken.actor_id, taken.subject_id) == ("invitation.taken_up", user.pk, user.pk)
    assert taken.details == {"role": "guest", "member": str(member.pk)}
