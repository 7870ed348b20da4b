"""`rooms/`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from api.rooms import AbilitiesSerializer, RoomSerializer
from collab.models import Room, RoomMember
from tests.factories import (
    add_to_room,
    api_client,
    make_group,
    make_link_grant,
    make_organization,
    make_room,
    make_user,
)

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
        "kind": "",
        "organization_role": None,
        "created_at": room.created_at.isoformat().replace("+00:00", "Z"),
        "trashed_at": None,
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


BAD_KINDS = ["Text", "rich text", "x" * 33, "text\ncode", "é", None, 1]


@pytest.mark.parametrize("kind", BAD_KINDS, ids=ascii)
def test_create_or_change_with_a_bad_kind_is_400(kind: Any, api, user, errors) -> None:
    room = make_room(owner=user)
    body = {"name": "Plan", "organization": str(room.organization_id), "kind": kind}
    assert list(errors.fields(api.post(ROOMS, body))) == ["kind"]
    assert list(errors.fields(api.patch(f"{ROOMS}{room.pk}/", {"kind": kind}))) == ["kind"]
    assert Room.objects.get().kind == ""


def test_kind_is_given_at_creation_and_changed_by_whoever_manages(api, user) -> None:
    organization = make_organization(member=user)
    body = {"name": "Plan", "organization": str(organization.pk), "kind": "rich-text"}
    room = api.post(ROOMS, body).json()
    assert room["kind"] == "rich-text"
    assert api.patch(f"{ROOMS}{room['id']}/", {"kind": "x" * 32}).json()["kind"] == "x" * 32
    assert api.patch(f"{ROOMS}{room['id']}/", {"kind": ""}).json()["kind"] == ""
    assert api.get(ROOMS).json()["results"][0]["kind"] == ""


def test_change_of_the_kind_is_audited_and_needs_manage(api, user, errors) -> None:
    room = make_room(owner=user)
    api.patch(f"{ROOMS}{room.pk}/", {"kind": "code"})
    assert api.get(f"{ROOMS}{room.pk}/audit/").json()["results"][0]["details"]["fields"] == "kind"
    theirs = make_room(editor=user)
    assert errors.code(api.patch(f"{ROOMS}{theirs.pk}/", {"kind": "code"}), 403)
    assert Room.objects.get(pk=theirs.pk).kind == ""


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
        ("trashed=", "trashed"),
        ("trashed=maybe", "trashed"),
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


TRASHED_AT = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_trash_of_those_who_can_take_nothing_out_is_empty(role: str, api, user) -> None:
    make_room(make_organization(member=user), organization_role="editor", trashed_at=TRASHED_AT)
    make_link_grant(make_room(trashed_at=TRASHED_AT, **{role: user}), user, role="editor")
    assert api.get(f"{ROOMS}?trashed=true").json()["results"] == []


def test_trash_has_the_rooms_that_the_caller_can_take_out_and_no_others(api, user) -> None:
    organization = make_organization(admin=user)
    by_group = make_room(make_organization(guest=user), name="By group", trashed_at=TRASHED_AT)
    RoomMember.objects.create(room=by_group, group=make_group(by_group.organization, user), role="owner")
    make_room(owner=user, name="Own", trashed_at=TRASHED_AT)
    make_room(organization, name="In the organization", owner=user, trashed_at=TRASHED_AT)
    make_room(owner=user, name="Not in the trash")
    make_room(owner=make_user(), name="Foreign", trashed_at=TRASHED_AT)
    rows = api.get(f"{ROOMS}?trashed=true&ordering=name").json()["results"]
    assert [row["name"] for row in rows] == ["By group", "In the organization", "Own"]
    for row in rows:
        assert (row["trashed_at"], row["role"], any(row["abilities"].values())) == (TRASHED_AT, None, False)
        assert api.post(f"{ROOMS}{row['id']}/restore/").status_code == 200
    assert api.get(f"{ROOMS}?trashed=true").json()["results"] == []
    assert len(api.get(f"{ROOMS}?trashed=false&organization={organization.pk}").json()["results"]) == 1


@pytest.mark.parametrize(
    "body", [{}, {"user": None}, {"user": "me"}, {"user": str(uuid4()), "role": "owner"}]
)
def test_transfer_with_a_bad_body_is_400(body: dict[str, Any], api, user, errors) -> None:
    room = make_room(owner=user)
    assert errors.fields(api.post(f"{ROOMS}{room.pk}/transfer/", body))


def test_transfer_to_nobody_who_reads_it_is_400_and_names_the_field(api, user, errors) -> None:
    room = make_room(owner=user)
    response = api.post(f"{ROOMS}{room.pk}/transfer/", {"user": str(make_user().pk)})
    assert errors.code(response, 400) == "unknown_user"
    assert list(response.json()["fields"]) == ["user"]


def test_transfer_gives_the_room_with_what_the_caller_may_still_do(api, user) -> None:
    other = make_user()
    room = make_room(owner=user, viewer=other)
    response = api.post(f"{ROOMS}{room.pk}/transfer/", {"user": str(other.pk)})
    assert (response.status_code, response.json()["role"]) == (200, "editor")


def test_leave_is_for_those_who_have_something_to_give_up(api, user, errors) -> None:
    room = make_room(owner=user)
    path = f"{ROOMS}{room.pk}/leave/"
    assert errors.code(api.post(path), 400) == "last_owner"
    add_to_room(room, make_user(), "owner")
    assert api.post(path).status_code == 204
    assert errors.code(api.post(path), 404) == "not_found"
    inherited = make_room(make_organization(owner=user))
    assert errors.code(api.post(f"{ROOMS}{inherited.pk}/leave/"), 400) == "not_a_member"


def test_access_that_ends_with_the_time_ends_between_two_requests(api, user, monkeypatch) -> None:
    now = timezone.now()
    room = make_link_grant(make_room(), user, expires_at=now + timedelta(minutes=1)).link.room
    url = f"{ROOMS}{room.pk}/"
    assert [each["id"] for each in api.get(ROOMS).json()["results"]] == [str(room.pk)]
    assert api.get(url).status_code == 200
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(minutes=1, seconds=1))
    assert api.get(ROOMS).json()["results"] == []
    assert api.get(url).status_code == 404


def test_room_has_the_fields_of_the_schema(api, user) -> None:
    room = make_room(make_organization(owner=user), kind="text", organization_role="viewer")
    one, [listed] = api.get(f"{ROOMS}{room.pk}/").json(), api.get(ROOMS).json()["results"]
    assert one == listed
    assert tuple(one) == RoomSerializer.Meta.fields
    assert tuple(one["abilities"]) == tuple(AbilitiesSerializer().fields)


def test_two_callers_of_the_list_have_each_their_own(api, user) -> None:
    """The statement is made once for both of them."""
    mine, other = make_room(make_organization(owner=user)), make_user()
    theirs = make_room(make_organization(owner=other))
    for _ in range(2):
        for client, room in ((api, mine), (api_client(other), theirs)):
            [found] = client.get(ROOMS).json()["results"]
            assert (found["id"], found["role"]) == (str(room.pk), "owner")
