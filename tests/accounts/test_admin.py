"""The admin site works with users whose login is their e-mail address."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.factories import add_to_organization, add_to_room, make_organization, make_room, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root@example.com", "secret", name="Root"))
    return client


def test_admin_add_user_signs_in_in_any_case(admin: Client, client: Client) -> None:
    form = {"email": "New@Example.com", "name": "New", "usable_password": "true"}
    passwords = {"password1": "correct-horse-battery", "password2": "correct-horse-battery"}
    assert admin.post(reverse("admin:accounts_user_add"), form | passwords).status_code == 302
    assert client.login(username="new@example.com", password="correct-horse-battery")


def test_admin_deactivate_user_raises_the_epoch(admin: Client) -> None:
    user = make_user()
    form = {"email": user.email, "name": user.name}
    assert admin.post(reverse("admin:accounts_user_change", args=[user.pk]), form).status_code == 302
    user.refresh_from_db()
    assert (user.is_active, user.access_epoch) == (False, 1)


@pytest.mark.parametrize(
    "model", ["accounts_organization", "accounts_organizationmember", "collab_room", "collab_roommember"]
)
def test_admin_memberships_can_be_seen_and_not_changed(admin: Client, model: str) -> None:
    user, organization = make_user(), make_organization()
    room = make_room(organization)
    add_to_organization(organization, user, "member")
    add_to_room(room, user, "viewer")
    assert admin.get(reverse(f"admin:{model}_changelist")).status_code == 200
    assert admin.get(reverse(f"admin:{model}_add")).status_code == 403
