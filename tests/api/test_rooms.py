"""`rooms/`."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from collab.models import Room
from tests.factories import make_organization, make_room, make_user

pytestmark = pytest.mark.django_db

ROOMS = "/api/v1/rooms/"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "x\0y"}, "name"),
        ({"name": []}, "name"),
        ({"organization": None}, "organization"),
        ({"organization": "mine"}, "organization"),
        ({"organization": -1}, "organization"),
        ({"organization": 2**128}, "organization"),
        ({"organization_role": "viewer"}, "organization_role"),
    ],
    ids=ascii,
)
def test_create_with_a_bad_field_is_400_and_names_it(change: dict[str, Any], field: str, api, errors) -> None:
    body = {"name": "Plan", "organization": str(uuid4())} | change
    assert list(errors.fields(api.post(ROOMS, body))) == [field]


def test_create_in_an_organization_that_is_not_visible_is_404(api, errors) -> None:
    for organization_id in (uuid4(), make_organization(owner=make_user()).pk):
        response = api.post(ROOMS, {"name": "Plan", "organization": str(organization_id)})
        assert errors.code(response, 404) == "not_found"
    assert not Room.objects.exists()


def test_create_gives_the_room_to_its_owner(api, user) -> None:
    organization = make_organization(member=user)
    response = api.post(ROOMS, {"name": " Plan ", "organization": str(organization.pk)})
    room = Room.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "id": str(room.pk),
        "organization": str(organization.pk),
        "name": "Plan",
        "organization_role": None,
        "created_at": room.created_at.isoformat().replace("+00:00", "Z"),
        "role": "owner",
        "abilities": {"read": True, "write": True, "share": True, "manage": True, "delete": True},
    }
    assert api.get(f"{ROOMS}{room.pk}/").json() == response.json()


@pytest.mark.parametrize(
    ("role", "abilities"), [("viewer", {"read"}), ("editor", {"read", "write"})], ids=["viewer", "editor"]
)
def test_room_carries_role_and_abilities_of_the_caller(role: str, abilities: set[str], api, user) -> None:
    room = make_room(**{role: user})
    body = api.get(f"{ROOMS}{room.pk}/").json()
    assert body["role"] == role
    assert {name for name, allowed in body["abilities"].items() if allowed} == abilities


@pytest.mark.parametrize("role", ["owner", "boss", "", 0, []], ids=str)
def test_change_organization_role_to_another_is_400_and_says_which_there_are(role, api, user, errors) -> None:
    room = make_room(owner=user)
    fields = errors.fields(api.patch(f"{ROOMS}{room.pk}/", {"organization_role": role}))
    assert fields == {"organization_role": ["Unknown role. Allowed: editor, viewer, null."]}


@pytest.mark.parametrize(
    ("body", "field"), [({"name": None}, "name"), ({"id": str(uuid4())}, "id"), ({"role": "owner"}, "role")]
)
def test_change_with_a_bad_field_is_400_and_names_it(body, field, api, user, errors) -> None:
    room = make_room(owner=user)
    assert list(errors.fields(api.patch(f"{ROOMS}{room.pk}/", body))) == [field]


@pytest.mark.parametrize("role", ["viewer", "editor", None])
def test_change_organization_role_keeps_the_name(role: str | None, api, user) -> None:
    room = make_room(owner=user, organization_role="viewer")
    body = api.patch(f"{ROOMS}{room.pk}/", {"organization_role": role}).json()
    assert (body["organization_role"], body["name"]) == (role, room.name)


def test_change_of_nothing_is_the_room(api, user) -> None:
    room = make_room(owner=user)
    assert api.patch(f"{ROOMS}{room.pk}/", {}).json() == api.get(f"{ROOMS}{room.pk}/").json()


def test_trashed_room_is_gone_until_it_is_restored(api, user) -> None:
    room = make_room(owner=user)
    path = f"{ROOMS}{room.pk}/"
    before = api.get(path).json()
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
    assert api.get(ROOMS).json()["results"] == []
    assert api.post(f"{path}restore/").json() == before
    assert api.get(path).json() == before


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("organization=mine", "organization"),
        ("organization=", "organization"),
        ("organization=%00", "organization"),
        ("ordering=size", "ordering"),
        ("ordering=", "ordering"),
        ("ordering=name,created_at", "ordering"),
        ("search=%00", "search"),
        ("search=" + "x" * 201, "search"),
    ],
)
def test_list_with_a_bad_parameter_is_400_and_names_it(query: str, field: str, api, errors) -> None:
    assert list(errors.fields(api.get(f"{ROOMS}?{query}"))) == [field]


def test_list_with_an_unknown_ordering_says_which_there_are(api, errors) -> None:
    message = "Unknown ordering. Allowed: name, -name, created_at, -created_at."
    assert errors.fields(api.get(f"{ROOMS}?ordering=size")) == {"ordering": [message]}


def test_list_filters_by_organization_and_search(api, user) -> None:
    organization = make_organization(owner=user)
    make_room(organization, name="Plan")
    make_room(organization, name="Notes")
    make_room(owner=user, name="Plan elsewhere")
    rows = api.get(f"{ROOMS}?organization={organization.pk}&search=pLAn").json()["results"]
    assert [row["name"] for row in rows] == ["Plan"]


@pytest.mark.parametrize(
    ("ordering", "names"),
    [("", "CAB"), ("?ordering=created_at", "BAC"), ("?ordering=name", "ABC"), ("?ordering=-name", "CBA")],
)
def test_list_is_ordered(ordering: str, names: str, api, user) -> None:
    for name in "BAC":
        make_room(owner=user, name=name)
    rows = api.get(ROOMS + ordering).json()["results"]
    assert "".join(row["name"] for row in rows) == names


@pytest.mark.parametrize("rows", [1, 10])
def test_list_costs_the_same_for_any_number_of_rows(rows: int, api, user, django_assert_num_queries) -> None:
    for _ in range(rows):
        make_room(make_organization(member=user), organization_role="viewer")
    with django_assert_num_queries(2):  # the caller, the rooms with all grants
        assert len(api.get(ROOMS).json()["results"]) == rows
