"""`organizations/` and their members."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Organization
from collab.models import Room
from tests.factories import add_to_organization, add_to_room, make_organization, make_room, make_user

pytestmark = pytest.mark.django_db

ORGANIZATIONS = "/api/v1/organizations/"


def members_of(organization: Organization) -> str:
    return f"{ORGANIZATIONS}{organization.pk}/members/"


@pytest.mark.parametrize(
    "body", [{}, {"name": None}, {"name": ""}, {"name": "x" * 151}, {"name": "x\0y"}], ids=str
)
def test_create_or_change_with_a_bad_name_is_400(body: dict[str, Any], api, user, errors) -> None:
    organization = make_organization(owner=user)
    assert list(errors.fields(api.post(ORGANIZATIONS, body))) == ["name"]
    assert list(errors.fields(api.patch(f"{ORGANIZATIONS}{organization.pk}/", body))) == ["name"]


def test_create_makes_the_caller_its_owner(api) -> None:
    response = api.post(ORGANIZATIONS, {"name": "Analysts"})
    organization = Organization.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "id": str(organization.pk),
        "name": "Analysts",
        "role": "owner",
        "created_at": organization.created_at.isoformat().replace("+00:00", "Z"),
    }


def test_list_carries_the_role_of_the_caller(api, user) -> None:
    make_organization(owner=make_user(), guest=user)
    assert [row["role"] for row in api.get(ORGANIZATIONS).json()["results"]] == ["guest"]


def test_change_renames_it(api, user) -> None:
    organization = make_organization(admin=user)
    body = api.patch(f"{ORGANIZATIONS}{organization.pk}/", {"name": "New"}).json()
    assert (body["name"], body["role"]) == ("New", "admin")


def test_delete_deletes_its_rooms(api, user) -> None:
    organization = make_organization(owner=user)
    room = make_room(organization)
    assert api.delete(f"{ORGANIZATIONS}{organization.pk}/").status_code == 204
    assert not Room.objects.filter(pk=room.pk).exists()


@pytest.mark.parametrize("role", ["boss", "viewer", "", None, 1, True, [], {}], ids=str)
def test_add_member_with_an_unknown_role_is_400_and_says_which_there_are(role, api, user, errors) -> None:
    organization = make_organization(owner=user)
    fields = errors.fields(api.post(members_of(organization), {"email": "b@example.com", "role": role}))
    assert list(fields) == ["role"]
    assert role is None or fields["role"] == ["Unknown role. Allowed: owner, admin, member, guest."]


@pytest.mark.parametrize("is_active", [None, False])
def test_add_member_without_an_active_account_is_an_invitation(is_active: bool | None, api, user) -> None:
    organization = make_organization(owner=user)
    if is_active is False:
        make_user(email="grace@example.com", is_active=False)
    response = api.post(members_of(organization), {"email": "Grace@Example.com", "role": "member"})
    body = response.json()
    assert response.status_code == 201
    assert (body["user"], body["email"], body["role"]) == (None, "grace@example.com", "member")
    assert api.get(members_of(organization)).json()["results"][0] == body
    assert api.patch(f"{members_of(organization)}{body['id']}/", {"role": "owner"}).status_code == 200
    assert api.delete(f"{members_of(organization)}{body['id']}/").status_code == 204


def test_add_member_twice_is_400(api, user, errors) -> None:
    organization = make_organization(owner=user)
    response = api.post(members_of(organization), {"email": user.email, "role": "member"})
    assert errors.code(response, 400) == "already_member"
    invitation = {"email": "nobody@example.com", "role": "member"}
    assert api.post(members_of(organization), invitation).status_code == 201
    assert errors.code(api.post(members_of(organization), invitation), 400) == "already_member"


def test_add_member_gives_the_membership(api, user) -> None:
    organization, other = make_organization(owner=user), make_user()
    response = api.post(members_of(organization), {"email": other.email.upper(), "role": "guest"})
    body = response.json()
    assert response.status_code == 201
    assert set(body) == {"id", "user", "email", "role", "created_at"}
    assert body["email"] is None
    assert body["user"] == {"id": str(other.pk), "email": other.email, "name": other.name}
    assert api.get(f"{members_of(organization)}{body['id']}/").json() == body


def test_last_owner_can_not_be_lowered_or_removed(api, user, errors) -> None:
    organization = make_organization(owner=user)
    path = f"{members_of(organization)}{organization.members.get().pk}/"
    assert errors.code(api.patch(path, {"role": "admin"}), 400) == "last_owner"
    assert errors.code(api.delete(path), 400) == "last_owner"


def test_change_role_gives_the_membership(api, user) -> None:
    organization = make_organization(owner=user)
    member = add_to_organization(organization, make_user(), "member")
    assert api.patch(f"{members_of(organization)}{member.pk}/", {"role": "owner"}).json()["role"] == "owner"


def test_remove_member_ends_their_memberships_in_its_rooms(api, user) -> None:
    organization, other = make_organization(owner=user), make_user()
    member = add_to_organization(organization, other, "member")
    room = make_room(organization)
    add_to_room(room, other, "owner")
    assert api.delete(f"{members_of(organization)}{member.pk}/").status_code == 204
    assert not room.members.exists()
