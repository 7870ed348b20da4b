"""The end of an account, for a while or for good."""

from __future__ import annotations

from functools import partial

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import ForeignKey, ManyToManyField
from django.test import override_settings
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts.errors import LastOwnerError
from accounts.models import (
    AuditEntry,
    ExternalIdentity,
    Organization,
    OrganizationMember,
    OrganizationRole,
    Session,
    Ticket,
    User,
)
from accounts.services import sessions, users
from accounts.services.organizations import add_organization_member
from tests.factories import (
    add_to_organization,
    make_group,
    make_organization,
    make_user,
    recorded_access_changes,
    run_together,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("other_owner", [None, "deactivated", "invited"])
@pytest.mark.parametrize("role", ["admin", "guest"])
def test_erase_of_the_last_owner_of_others_raises_and_names_nothing(
    other_owner: str | None, role: str
) -> None:
    user = make_user()
    organization = make_organization(owner=user, name="Secret", **{role: make_user()})
    make_organization(owner=user, name="Alone")
    if other_owner == "deactivated":
        add_to_organization(organization, make_user(is_active=False), "owner")
    if other_owner == "invited":
        add_to_organization(organization, "grace@example.com", "owner")
    with pytest.raises(LastOwnerError) as error:
        users.erase_user(user=user)
    assert "Secret" not in error.value.detail
    assert str(organization.pk) not in error.value.detail
    assert (User.objects.filter(pk=user.pk).exists(), Organization.objects.count()) == (True, 2)


@pytest.mark.parametrize("role", ["admin", "member", "guest"])
def test_erase_leaves_organizations_that_have_an_owner(role: str, django_capture_on_commit_callbacks) -> None:
    user, owner = make_user(), make_user()
    organization = make_organization(owner=owner, **{role: user})
    make_group(organization, user, owner)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        users.erase_user(user=user)
    assert [member.user for member in OrganizationMember.objects.all()] == [owner]
    assert changes == [(User, user.pk)]


def test_erase_deletes_organizations_in_which_nobody_else_is(django_capture_on_commit_callbacks) -> None:
    user = make_user()
    alone = make_organization(owner=user)
    add_to_organization(alone, "grace@example.com", "admin")
    others = make_organization(owner=make_user())
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        users.erase_user(user=user)
    assert list(Organization.objects.all()) == [others]
    assert changes == [(User, user.pk), (Organization, alone.pk)]


def test_erase_leaves_no_row_that_refers_to_the_account_or_names_it() -> None:
    user = make_user("Grace", email="grace@example.com")
    organization = make_organization(owner=make_user(), member=user)
    make_group(organization, user)
    sessions.begin_session(user=user)
    ExternalIdentity.objects.create(user=user, issuer="https://id.example.com", subject="grace")
    Ticket.objects.create(
        user=user,
        digest="0" * 64,
        session=Session.objects.get(user=user),
        room_id=organization.pk,
        expires_at=timezone.now(),
        token_expires_at=timezone.now(),
    )
    LogEntry.objects.create(
        user=make_user(),
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(user.pk),
        object_repr=str(user),
        action_flag=CHANGE,
    )
    user_id = user.pk
    users.erase_user(user=user)
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, ForeignKey | ManyToManyField) and field.related_model is User:
                assert not model._default_manager.filter(**{field.name: user_id}).exists(), field
        for row in model._default_manager.values():
            told = str(row.values()).lower()
            assert "grace" not in told, (model, row)
    assert not OutstandingToken.objects.exists()


def test_erase_is_audited_where_they_were_by_id_alone() -> None:
    user, owner = make_user(), make_user()
    kept = make_organization(owner=owner, member=user)
    gone = make_organization(owner=user)
    users.erase_user(user=user)
    told = {entry.organization_id: entry for entry in AuditEntry.objects.all()}
    assert {pk: entry.action for pk, entry in told.items()} == {
        kept.pk: "user.erased",
        gone.pk: "organization.deleted",
    }
    assert all((entry.actor_id, entry.details) == (user.pk, {}) for entry in told.values())


def test_erase_keeps_invitations_of_an_address_that_nobody_proved() -> None:
    organization = make_organization(owner=make_user())
    add_to_organization(organization, "grace@example.com", "member")
    users.erase_user(user=make_user(email="grace@example.com"))
    assert organization.members.filter(email="grace@example.com").exists()


def test_address_of_an_erased_account_is_free_and_comes_back_with_nothing() -> None:
    password = "correct-horse-battery"
    register = partial(users.register_user, email="grace@example.com", password=password, name="Grace")
    first = register()
    organization = make_organization(owner=make_user(), member=first)
    users.erase_user(user=first)
    second = register()
    assert second.pk != first.pk
    assert not organization.members.filter(user=second).exists()


@pytest.mark.django_db(transaction=True)
def test_erase_while_others_add_them_ends_without_an_error() -> None:
    user = make_user()
    owners = [make_user() for _ in range(4)]
    adding = [
        partial(
            add_organization_member,
            actor=owner,
            organization_id=make_organization(owner=owner).pk,
            email=user.email,
            role=OrganizationRole.MEMBER,
        )
        for owner in owners
    ]
    results = run_together(partial(users.erase_user, user=user), *adding)
    assert results[0] is None
    assert all(isinstance(result, OrganizationMember) for result in results[1:]), results
    members = OrganizationMember.objects.exclude(user__in=owners)
    assert [(member.user_id, member.email) for member in members] == [(None, user.email)] * members.count()


@pytest.mark.django_db(transaction=True)
def test_erase_of_both_owners_at_once_leaves_one() -> None:
    one, two = make_user(), make_user()
    organization = make_organization(owner=one, member=make_user())
    add_to_organization(organization, two, "owner")
    results = run_together(partial(users.erase_user, user=one), partial(users.erase_user, user=two))
    assert sorted(type(result).__name__ for result in results) == ["LastOwnerError", "NoneType"]
    assert organization.members.filter(role="owner").count() == 1


def test_deactivate_ends_sessions_and_announces_the_user_once(django_capture_on_commit_callbacks) -> None:
    user, actor = make_user(), make_user()
    organization = make_organization(owner=user)
    sessions.begin_session(user=user)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        users.deactivate_user(user=user, actor=actor)
        users.deactivate_user(user=user, actor=actor)
    assert changes == [(User, user.pk)]
    assert not User.objects.get(pk=user.pk).is_active
    assert Session.objects.get().ended_at is not None
    entry = AuditEntry.objects.get(action="user.deactivated")
    assert (entry.organization_id, entry.actor_id, entry.subject_id) == (organization.pk, actor.pk, user.pk)


def test_activate_gives_back_access_and_no_session(django_capture_on_commit_callbacks) -> None:
    user = make_user()
    organization = make_organization(owner=user)
    sessions.begin_session(user=user)
    users.deactivate_user(user=user, actor=None)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        users.activate_user(user=user, actor=None)
        users.activate_user(user=user, actor=None)
    assert (User.objects.get(pk=user.pk).is_active, changes) == (True, [(User, user.pk)])
    assert Session.objects.get().ended_at is not None
    assert AuditEntry.objects.get(action="user.activated").organization_id == organization.pk


@pytest.mark.parametrize("is_verified", [True, False])
def test_activate_takes_up_what_the_address_was_invited_to_meanwhile(is_verified: bool) -> None:
    user = make_user(is_active=False)
    organization = make_organization(owner=make_user())
    add_to_organization(organization, user.email, "member")
    with override_settings(VERIFY_INVITATIONS=is_verified):
        users.activate_user(user=user, actor=None)
    assert organization.members.filter(user=user).exists() is not is_verified
