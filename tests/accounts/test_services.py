"""Writing accounts: who may, what it leaves behind, and what is announced."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

import pytest

from accounts.errors import (
    AlreadyMemberError,
    EmailTakenError,
    InvalidError,
    LastOwnerError,
    NotFoundError,
    PermissionDeniedError,
)
from accounts.models import Organization, OrganizationMember, OrganizationRole, User
from accounts.services import organizations, users
from accounts.signals import access_changed
from tests.factories import (
    add_to_organization,
    make_organization,
    make_user,
    recorded_access_changes,
    run_together,
)

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery-staple"
OWNER, ADMIN, MEMBER, GUEST = OrganizationRole


def epoch_of(row: User | Organization) -> int:
    return type(row).objects.get(pk=row.pk).access_epoch


def test_register_user_with_a_taken_address_in_another_case_raises_and_leaves_nothing() -> None:
    make_user(email="ada@example.com")
    with pytest.raises(EmailTakenError):
        users.register_user(email="ADA@example.com", password=PASSWORD, name="Ada")
    assert User.objects.count() == 1
    assert not Organization.objects.exists()


def test_register_user_with_a_weak_password_raises_for_that_field() -> None:
    with pytest.raises(InvalidError) as error:
        users.register_user(email="ada@example.com", password="12345", name="Ada")
    assert list(error.value.fields) == ["password"]
    assert not User.objects.exists()


def test_register_user_makes_an_organization_of_which_they_are_owner() -> None:
    user = users.register_user(email="Ada@Example.com", password=PASSWORD, name="Ada")
    membership = OrganizationMember.objects.get()
    assert (membership.user, membership.role, membership.organization.name) == (user, OWNER, "Ada")
    assert user.email == "ada@example.com"
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize("role", [MEMBER, GUEST])
def test_rename_organization_by_less_than_an_admin_raises(role: str) -> None:
    user = make_user()
    organization = make_organization(**{role: user})
    with pytest.raises(PermissionDeniedError):
        organizations.rename_organization(actor=user, organization_id=organization.pk, name="New")


def test_rename_organization_by_an_admin_changes_the_name_and_no_epoch() -> None:
    admin = make_user()
    organization = make_organization(admin=admin)
    organizations.rename_organization(actor=admin, organization_id=organization.pk, name="New")
    organization.refresh_from_db()
    assert (organization.name, organization.access_epoch) == ("New", 0)


@pytest.mark.parametrize("role", [ADMIN, MEMBER, GUEST])
def test_delete_organization_by_less_than_an_owner_raises(role: str) -> None:
    user = make_user()
    organization = make_organization(**{role: user})
    with pytest.raises(PermissionDeniedError):
        organizations.delete_organization(actor=user, organization_id=organization.pk)


def test_delete_organization_by_its_owner_deletes_and_announces(
    django_capture_on_commit_callbacks,
) -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        organizations.delete_organization(actor=owner, organization_id=organization.pk)
    assert not Organization.objects.exists()
    assert changes == [(Organization, organization.pk)]


@pytest.mark.parametrize("role", [MEMBER, GUEST])
def test_add_member_by_less_than_an_admin_raises(role: str) -> None:
    user, other = make_user(), make_user()
    organization = make_organization(**{role: user})
    with pytest.raises(PermissionDeniedError):
        organizations.add_organization_member(
            actor=user, organization_id=organization.pk, email=other.email, role=GUEST
        )


def test_add_member_by_a_stranger_raises_not_found() -> None:
    organization = make_organization(owner=make_user())
    with pytest.raises(NotFoundError):
        organizations.add_organization_member(
            actor=make_user(), organization_id=organization.pk, email="x@example.com", role=GUEST
        )


def test_add_owner_by_an_admin_raises() -> None:
    admin, other = make_user(), make_user()
    organization = make_organization(admin=admin)
    with pytest.raises(PermissionDeniedError):
        organizations.add_organization_member(
            actor=admin, organization_id=organization.pk, email=other.email, role=OWNER
        )


def test_add_member_twice_raises_and_keeps_the_role() -> None:
    owner, other = make_user(), make_user()
    organization = make_organization(owner=owner, member=other)
    with pytest.raises(AlreadyMemberError):
        organizations.add_organization_member(
            actor=owner, organization_id=organization.pk, email=other.email, role=ADMIN
        )
    assert organization.members.get(user=other).role == MEMBER


def test_add_member_announces_the_user(django_capture_on_commit_callbacks) -> None:
    owner, other = make_user(), make_user()
    organization = make_organization(owner=owner)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        member = organizations.add_organization_member(
            actor=owner, organization_id=organization.pk, email=other.email.upper(), role=ADMIN
        )
    assert (member.user, member.role) == (other, ADMIN)
    assert (changes, epoch_of(other)) == ([(User, other.pk)], 1)


def test_change_role_of_an_unknown_member_raises_not_found() -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    with pytest.raises(NotFoundError):
        organizations.change_organization_member_role(
            actor=owner, organization_id=organization.pk, member_id=uuid4(), role=MEMBER
        )


def test_change_role_of_a_member_of_another_organization_raises_not_found() -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    foreign = add_to_organization(make_organization(), make_user(), MEMBER)
    with pytest.raises(NotFoundError):
        organizations.change_organization_member_role(
            actor=owner, organization_id=organization.pk, member_id=foreign.pk, role=GUEST
        )


@pytest.mark.parametrize(("old", "new"), [(OWNER, MEMBER), (MEMBER, OWNER)])
def test_change_role_from_or_to_owner_by_an_admin_raises(
    old: OrganizationRole, new: OrganizationRole
) -> None:
    admin = make_user()
    organization = make_organization(owner=make_user(), admin=admin)
    member = add_to_organization(organization, make_user(), old)
    with pytest.raises(PermissionDeniedError):
        organizations.change_organization_member_role(
            actor=admin, organization_id=organization.pk, member_id=member.pk, role=new
        )


def test_change_role_of_the_last_owner_raises() -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    with pytest.raises(LastOwnerError):
        organizations.change_organization_member_role(
            actor=owner, organization_id=organization.pk, member_id=organization.members.get().pk, role=ADMIN
        )


def test_change_role_of_the_last_owner_who_is_active_raises() -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    add_to_organization(organization, make_user(is_active=False), OWNER)
    with pytest.raises(LastOwnerError):
        organizations.change_organization_member_role(
            actor=owner,
            organization_id=organization.pk,
            member_id=organization.members.get(user=owner).pk,
            role=ADMIN,
        )


def test_change_role_announces_the_user(django_capture_on_commit_callbacks) -> None:
    admin, other = make_user(), make_user()
    organization = make_organization(admin=admin)
    member = add_to_organization(organization, other, MEMBER)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        organizations.change_organization_member_role(
            actor=admin, organization_id=organization.pk, member_id=member.pk, role=GUEST
        )
    member.refresh_from_db()
    assert (member.role, changes, epoch_of(other)) == (GUEST, [(User, other.pk)], 1)


def test_remove_owner_by_an_admin_raises() -> None:
    admin = make_user()
    organization = make_organization(owner=make_user(), admin=admin)
    owner = add_to_organization(organization, make_user(), OWNER)
    with pytest.raises(PermissionDeniedError):
        organizations.remove_organization_member(
            actor=admin, organization_id=organization.pk, member_id=owner.pk
        )


def test_remove_the_last_owner_raises() -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    with pytest.raises(LastOwnerError):
        organizations.remove_organization_member(
            actor=owner, organization_id=organization.pk, member_id=organization.members.get().pk
        )


def test_remove_member_announces_the_user(django_capture_on_commit_callbacks) -> None:
    admin, other = make_user(), make_user()
    organization = make_organization(admin=admin)
    member = add_to_organization(organization, other, MEMBER)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        organizations.remove_organization_member(
            actor=admin, organization_id=organization.pk, member_id=member.pk
        )
    assert not organization.members.filter(user=other).exists()
    assert (changes, epoch_of(other)) == ([(User, other.pk)], 1)


def test_announcement_whose_receiver_fails_does_not_fail_the_service(
    django_capture_on_commit_callbacks, caplog
) -> None:
    owner, other = make_user(), make_user()
    organization = make_organization(owner=owner)

    def fail(**_: object) -> None:
        raise RuntimeError("the layer is gone")

    access_changed.connect(fail)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            organizations.add_organization_member(
                actor=owner, organization_id=organization.pk, email=other.email, role=MEMBER
            )
    finally:
        access_changed.disconnect(fail)
    assert organization.members.filter(user=other).exists()
    assert "the layer is gone" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_remove_each_other_by_two_owners_at_once_leaves_one() -> None:
    one, two = make_user(), make_user()
    organization = make_organization()
    members = [add_to_organization(organization, user, OWNER) for user in (one, two)]
    remove = partial(organizations.remove_organization_member, organization_id=organization.pk)
    results = run_together(
        partial(remove, actor=one, member_id=members[1].pk),
        partial(remove, actor=two, member_id=members[0].pk),
    )
    # The second one is no member any more when its turn comes.
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "NotFoundError"]
    assert organization.members.count() == 1


@pytest.mark.django_db(transaction=True)
def test_remove_oneself_by_two_owners_at_once_leaves_one() -> None:
    one, two = make_user(), make_user()
    organization = make_organization()
    members = [add_to_organization(organization, user, OWNER) for user in (one, two)]
    remove = partial(organizations.remove_organization_member, organization_id=organization.pk)
    results = run_together(
        partial(remove, actor=one, member_id=members[0].pk),
        partial(remove, actor=two, member_id=members[1].pk),
    )
    assert sorted(type(result).__name__ for result in results) == ["LastOwnerError", "NoneType"]
    assert organization.members.count() == 1


@pytest.mark.django_db(transaction=True)
def test_register_user_twice_at_once_makes_one_account() -> None:
    register = partial(users.register_user, password=PASSWORD, name="Ada")
    results = run_together(
        partial(register, email="ada@example.com"), partial(register, email="Ada@Example.com")
    )
    assert sorted(type(result).__name__ for result in results) == ["EmailTakenError", "User"]
    assert Organization.objects.count() == 1
