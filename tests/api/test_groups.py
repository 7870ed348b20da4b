"""`organizations/{id}/groups/` and their members."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from accounts.models import Group
from tests.factories import add_to_organization, make_group, make_organization, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def group(user) -> Group:
    return make_group(make_organization(owner=user))


@pytest.fixture
def groups(group: Group) -> str:
    return f"/api/v1/organizations/{group.organization_id}/groups/"


@pytest.fixture
def members(group: Group, groups: str) -> str:
    return f"{groups}{group.pk}/members/"


@pytest.mark.parametrize(
    "body", [{}, {"name": None}, {"name": ""}, {"name": "x" * 151}, {"name": "x\0y"}], ids=str
)
def test_create_or_change_with_a_bad_name_is_400(
    body: dict[str, Any], group: Group, groups: str, api, errors
) -> None:
    assert list(errors.fields(api.post(groups, body))) == ["name"]
    assert list(errors.fields(api.patch(f"{groups}{group.pk}/", body))) == ["name"]


def test_create_with_a_taken_name_is_400_and_names_the_field(group: Group, groups: str, api, errors) -> None:
    response = api.post(groups, {"name": group.name.upper()})
    assert errors.code(response, 400) == "name_taken"
    assert list(response.json()["fields"]) == ["name"]


def test_create_gives_the_group(groups: str, api) -> None:
    response = api.post(groups, {"name": " Editors "})
    body = response.json()
    assert response.status_code == 201
    assert set(body) == {"id", "name", "created_at"}
    assert body["name"] == "Editors"
    assert api.get(f"{groups}{body['id']}/").json() == body
    assert body in api.get(groups).json()["results"]


def test_change_and_delete_take_effect(group: Group, groups: str, api) -> None:
    path = f"{groups}{group.pk}/"
    assert api.patch(path, {"name": "Writers"}).json()["name"] == "Writers"
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "non_field_errors"),
        ({"email": "b@example.com", "user": str(uuid4())}, "non_field_errors"),
        ({"email": "nobody"}, "email"),
        ({"user": "nobody"}, "user"),
        ({"member": str(uuid4())}, "member"),
    ],
    ids=str,
)
def test_add_with_a_bad_field_is_400_and_names_it(body, field, members: str, api, errors) -> None:
    assert list(errors.fields(api.post(members, body))) == [field]


@pytest.mark.parametrize("field", ["email", "user"])
def test_add_someone_of_another_tenant_is_answered_like_nobody(field: str, members: str, api, errors) -> None:
    stranger = make_user()
    make_organization(owner=stranger)
    known = {"email": stranger.email, "user": str(stranger.pk)}[field]
    unknown = {"email": "nobody@example.com", "user": str(uuid4())}[field]
    answers = [api.post(members, {field: who}) for who in (known, unknown)]
    assert [errors.code(answer, 400) for answer in answers] == ["unknown_member"] * 2
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("field", ["email", "user"])
def test_add_gives_the_member(field: str, group: Group, members: str, api) -> None:
    colleague = make_user()
    add_to_organization(group.organization, colleague, "guest")
    who = {"email": colleague.email.upper(), "user": str(colleague.pk)}[field]
    response = api.post(members, {field: who})
    body = response.json()
    assert response.status_code == 201
    assert set(body) == {"id", "user", "email", "created_at"}
    assert body["user"] == {"id": str(colleague.pk), "email": colleague.email, "name": colleague.name}
    assert body["email"] is None
    assert api.get(f"{members}{body['id']}/").json() == body
    assert api.delete(f"{members}{body['id']}/").status_code == 204
    assert api.get(members).json()["results"] == []


def test_add_someone_who_is_invited_gives_their_address(group: Group, members: str, api, errors) -> None:
    add_to_organization(group.organization, "grace@example.com", "member")
    body = api.post(members, {"email": "Grace@Example.com"}).json()
    assert (body["user"], body["email"]) == (None, "grace@example.com")
    response = api.post(members, {"email": "grace@example.com"})
    assert errors.code(response, 400) == "already_member"


@pytest.mark.parametrize("rows", [1, 10])
def test_lists_cost_the_same_for_any_number_of_rows(
    rows: int, group: Group, groups: str, api, django_assert_num_queries
) -> None:
    members = f"{groups}{group.pk}/members/"
    for number in range(rows):
        make_group(group.organization)
        for who in (make_user(), f"{number}@example.com"):
            group.members.create(member=add_to_organization(group.organization, who, "member"))
    with django_assert_num_queries(3):  # the caller, the organization, its groups
        assert len(api.get(groups).json()["results"]) == rows + 1
    with django_assert_num_queries(
        4
    ):  # the caller, the organization, the group, its members with their users
        assert len(api.get(members).json()["results"]) == 2 * rows
