"""What a user sees of organizations, their members and other accounts."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts import selectors
from accounts.errors import NotFoundError, PermissionDeniedError, UnknownUserError
from tests.factories import add_to_organization, make_organization, make_user

pytestmark = pytest.mark.django_db


def test_organizations_for_an_anonymous_user_are_none() -> None:
    make_organization(owner=make_user())
    assert not selectors.organizations_visible_to(AnonymousUser()).exists()


def test_organizations_for_a_deactivated_user_are_none() -> None:
    user = make_user(is_active=False)
    make_organization(owner=user)
    assert not selectors.organizations_visible_to(user).exists()


def test_organizations_of_others_are_not_visible() -> None:
    make_organization(owner=make_user())
    assert not selectors.organizations_visible_to(make_user()).exists()


def test_organizations_visible_carry_the_role_of_the_caller_and_of_nobody_else() -> None:
    user = make_user()
    owned = make_organization(owner=user, admin=make_user(), guest=make_user())
    visited = make_organization(owner=make_user(), guest=user)
    found = {(row.pk, row.caller_role) for row in selectors.organizations_visible_to(user)}
    assert found == {(owned.pk, "owner"), (visited.pk, "guest")}


def test_access_organization_that_does_not_exist_raises_not_found() -> None:
    with pytest.raises(NotFoundError):
        selectors.access_organization(make_user(), uuid4())


def test_access_organization_of_another_tenant_raises_not_found() -> None:
    organization = make_organization(owner=make_user())
    with pytest.raises(NotFoundError):
        selectors.access_organization(make_user(), organization.pk)


def test_access_organization_without_the_right_raises_permission_denied() -> None:
    guest = make_user()
    organization = make_organization(guest=guest)
    with pytest.raises(PermissionDeniedError):
        selectors.access_organization(guest, organization.pk, needs="create_rooms")


def test_access_organization_with_the_right_is_one_query(django_assert_num_queries) -> None:
    admin = make_user()
    organization = make_organization(admin=admin)
    with django_assert_num_queries(1):
        assert selectors.access_organization(admin, organization.pk, needs="rename") == organization


def test_members_for_a_guest_are_only_the_guest() -> None:
    guest = make_user()
    organization = make_organization(owner=make_user(), guest=guest)
    assert [m.user for m in selectors.organization_members_visible_to(guest, organization.pk)] == [guest]


def test_members_for_a_member_are_all() -> None:
    owner, member, guest = make_user(), make_user(), make_user()
    organization = make_organization(owner=owner, member=member, guest=guest)
    found = selectors.organization_members_visible_to(member, organization.pk)
    assert {m.user for m in found} == {owner, member, guest}


def test_access_member_of_another_organization_raises_not_found() -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    stranger = add_to_organization(make_organization(), make_user(), "member")
    with pytest.raises(NotFoundError):
        selectors.access_organization_member(owner, organization.pk, stranger.pk)


def test_access_other_member_by_a_guest_raises_not_found() -> None:
    guest = make_user()
    organization = make_organization(guest=guest)
    other = add_to_organization(organization, make_user(), "member")
    with pytest.raises(NotFoundError):
        selectors.access_organization_member(guest, organization.pk, other.pk)


def test_get_active_user_deactivated_raises_unknown_user_for_the_field() -> None:
    user = make_user(is_active=False)
    with pytest.raises(UnknownUserError) as by_email:
        selectors.get_active_user(email=user.email)
    with pytest.raises(UnknownUserError) as by_id:
        selectors.get_active_user(user_id=user.pk)
    assert (list(by_email.value.fields), list(by_id.value.fields)) == (["email"], ["user"])


def test_get_active_user_by_email_ignores_case() -> None:
    user = make_user(email="ada@example.com")
    assert selectors.get_active_user(email=" ADA@Example.com ") == user
