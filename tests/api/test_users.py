"""`auth/register/` and `users/me/`."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.invitations import make_invitation_token
from accounts.models import OrganizationMember, User
from tests.factories import add_to_organization, api_client, make_organization, make_user

pytestmark = pytest.mark.django_db

REGISTER = "/api/v1/auth/register/"
ME = "/api/v1/users/me/"
NEW = {"email": "Grace@Example.com", "password": "correct-horse-battery-staple", "name": "Grace"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": None}, "email"),
        ({"email": "no address"}, "email"),
        ({"email": "a\0b@example.com"}, "email"),
        ({"email": "a" * 250 + "@example.com"}, "email"),
        ({"password": "12345"}, "password"),
        ({"password": "grace@example.com"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": "nul\0nul-nul-nul"}, "password"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 151}, "name"),
        ({"name": {}}, "name"),
        ({"is_staff": True}, "is_staff"),
    ],
    ids=str,
)
def test_register_with_a_bad_field_is_400_and_names_it(change: dict[str, Any], field: str, errors) -> None:
    assert list(errors.fields(api_client().post(REGISTER, NEW | change))) == [field]
    assert not User.objects.exists()


@pytest.mark.parametrize("field", NEW)
def test_register_without_a_field_is_400_and_names_it(field: str, errors) -> None:
    body = {name: value for name, value in NEW.items() if name != field}
    assert list(errors.fields(api_client().post(REGISTER, body))) == [field]


def test_register_with_a_taken_address_in_another_case_is_400(errors) -> None:
    make_user(email="grace@example.com")
    assert errors.code(api_client().post(REGISTER, NEW), 400) == "email_taken"


def test_register_makes_the_account_and_its_organization() -> None:
    response = api_client().post(REGISTER, NEW)
    user = User.objects.get()
    assert response.status_code == 201
    assert response.json() == {"id": str(user.pk), "email": "grace@example.com", "name": "Grace"}
    assert OrganizationMember.objects.get(user=user).role == "owner"


def test_register_with_a_stale_token_in_the_header_is_not_refused() -> None:
    client = api_client()
    client.credentials(HTTP_AUTHORIZATION="Bearer stale")
    assert client.post(REGISTER, NEW).status_code == 201


def test_me_is_who_is_signed_in(api, user) -> None:
    assert api.get(ME).json() == {"id": str(user.pk), "email": "ada@example.com", "name": "Ada"}


@pytest.mark.parametrize(
    ("body", "field"), [({}, "name"), ({"name": None}, "name"), ({"email": "b@example.com"}, "email")]
)
def test_me_patch_with_a_bad_field_is_400_and_names_it(body, field, api, errors) -> None:
    assert field in errors.fields(api.patch(ME, body))


def test_me_patch_changes_the_name(api, user) -> None:
    assert api.patch(ME, {"name": "Ada L."}).json()["name"] == "Ada L."
    user.refresh_from_db()
    assert user.name == "Ada L."


def test_me_patch_of_what_was_changed_meanwhile_is_412(api, errors) -> None:
    seen = api.get(ME)["ETag"]
    api.patch(ME, {"name": "Ada L."})
    response = api.patch(ME, {"name": "Ada K."}, headers={"If-Match": seen})
    assert errors.code(response, 412) == "precondition_failed"
    assert api.get(ME).json()["name"] == "Ada L."


def test_register_with_a_bad_invitation_is_400_and_names_the_field(errors) -> None:
    response = api_client().post(REGISTER, NEW | {"invitation": make_invitation_token("other@example.com")})
    assert errors.code(response, 400) == "invalid_invitation"
    assert list(response.json()["fields"]) == ["invitation"]
    assert not User.objects.exists()


def test_register_with_an_invitation_takes_it_up(settings) -> None:
    settings.VERIFY_INVITATIONS = True
    organization = make_organization(owner=make_user())
    add_to_organization(organization, "grace@example.com", "guest")
    response = api_client().post(REGISTER, NEW | {"invitation": make_invitation_token("grace@example.com")})
    assert response.status_code == 201
    assert organization.members.get(user=response.json()["id"]).role == "guest"


def test_erase_of_the_last_owner_of_others_is_400_and_names_no_organization(api, user, errors) -> None:
    organization = make_organization(owner=user, member=make_user(), name="Secret")
    response = api.delete(ME)
    assert errors.code(response, 400) == "last_owner"
    assert "Secret" not in response.content.decode()
    assert str(organization.pk) not in response.content.decode()
    assert api.get(ME).status_code == 200


def test_erase_ends_every_token() -> None:
    client = api_client()
    client.post(REGISTER, NEW)
    sign_in = {"email": NEW["email"], "password": NEW["password"]}
    pair = client.post("/api/v1/token/", sign_in).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    assert client.delete(ME).status_code == 204
    assert client.get(ME).status_code == 401
    client.credentials()
    assert client.post("/api/v1/token/refresh/", {"refresh": pair["refresh"]}).status_code == 401
    assert client.post("/api/v1/token/", sign_in).status_code == 401
    assert not User.objects.exists()
