"""`rooms/{id}/members/`."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from collab.models import Room
from tests.factories import add_to_room, make_group, make_organization, make_room, make_user

pytestmark = pytest.mark.django_db


def members_of(room: Room) -> str:
    return f"/api/v1/rooms/{room.pk}/members/"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "viewer"}, "non_field_errors"),
        ({"role": "viewer", "email": "b@example.com", "user": str(uuid4())}, "non_field_errors"),
        ({"role": "viewer", "email": None}, "email"),
        ({"role": "viewer", "email": "nobody"}, "email"),
        ({"role": "viewer", "user": "nobody"}, "user"),
        ({"role": "viewer", "group": str(uuid4()), "user": str(uuid4())}, "non_field_errors"),
        ({"role": "viewer", "group": "nobody"}, "group"),
        ({"email": "b@example.com"}, "role"),
    ],
    ids=str,
)
def test_add_with_a_bad_field_is_400_and_names_it(
    body: dict[str, Any], field: str, api, user, errors
) -> None:
    assert list(errors.fields(api.post(members_of(make_room(owner=user)), body))) == [field]


def test_add_with_an_unknown_role_is_400_and_says_which_there_are(api, user, errors) -> None:
    path = members_of(make_room(owner=user))
    fields = errors.fields(api.post(path, {"email": "b@example.com", "role": "admin"}))
    assert fields == {"role": ["Unknown role. Allowed: owner, editor, viewer."]}


def test_add_user_without_an_account_is_400(api, user, errors) -> None:
    response = api.post(members_of(make_room(owner=user)), {"role": "viewer", "user": str(uuid4())})
    assert errors.code(response, 400) == "unknown_user"
    assert list(response.json()["fields"]) == ["user"]


def test_add_group_of_another_organization_is_answered_like_an_unknown_one(api, user, errors) -> None:
    path = members_of(make_room(make_organization(owner=user)))
    foreign = make_group(make_organization(owner=user))
    answers = [api.post(path, {"role": "viewer", "group": str(group)}) for group in (foreign.pk, uuid4())]
    assert [errors.code(answer, 400) for answer in answers] == ["unknown_group"] * 2
    assert answers[0].json() == answers[1].json()


def test_add_twice_is_400(api, user, errors) -> None:
    response = api.post(members_of(make_room(owner=user)), {"role": "viewer", "user": str(user.pk)})
    assert errors.code(response, 400) == "already_member"


@pytest.mark.parametrize("field", ["email", "user"])
def test_add_gives_the_membership(field: str, api, user) -> None:
    room, other = make_room(owner=user), make_user()
    who = {"email": other.email, "user": str(other.pk)}[field]
    response = api.post(members_of(room), {field: who, "role": "editor"})
    body = response.json()
    assert response.status_code == 201
    assert set(body) == {"id", "user", "group", "email", "role", "created_at"}
    assert body["user"] == {"id": str(other.pk), "email": other.email, "name": other.name}
    assert (body["group"], body["email"]) == (None, None)
    assert api.get(f"{members_of(room)}{body['id']}/").json() == body


def test_add_group_gives_the_membership(api, user) -> None:
    room = make_room(make_organization(owner=user))
    group = make_group(room.organization)
    response = api.post(members_of(room), {"group": str(group.pk), "role": "editor"})
    body = response.json()
    assert response.status_code == 201
    assert (body["group"]["id"], body["group"]["name"]) == (str(group.pk), group.name)
    assert (body["user"], body["email"]) == (None, None)
    assert api.get(f"{members_of(room)}{body['id']}/").json() == body


@pytest.mark.parametrize("is_active", [None, False])
def test_add_email_without_an_active_account_is_an_invitation(is_active: bool | None, api, user) -> None:
    room = make_room(owner=user)
    if is_active is False:
        make_user(email="grace@example.com", is_active=False)
    response = api.post(members_of(room), {"email": "Grace@Example.com", "role": "editor"})
    body = response.json()
    assert response.status_code == 201
    assert (body["user"], body["group"], body["email"]) == (None, None, "grace@example.com")
    assert api.get(members_of(room)).json()["results"][0] == body
    assert api.patch(f"{members_of(room)}{body['id']}/", {"role": "owner"}).json()["role"] == "owner"
    assert api.delete(f"{members_of(room)}{body['id']}/").status_code == 204


def test_add_email_twice_is_400(api, user, errors) -> None:
    path = members_of(make_room(owner=user))
    body = {"email": "nobody@example.com", "role": "viewer"}
    assert api.post(path, body).status_code == 201
    assert errors.code(api.post(path, body), 400) == "already_member"


def test_last_owner_can_not_be_lowered_or_removed(api, user, errors) -> None:
    room = make_room(owner=user)
    path = f"{members_of(room)}{room.members.get().pk}/"
    assert errors.code(api.patch(path, {"role": "editor"}), 400) == "last_owner"
    assert errors.code(api.delete(path), 400) == "last_owner"


def test_member_of_another_room_is_404(api, user, errors) -> None:
    room = make_room(owner=user)
    foreign = add_to_room(make_room(owner=user), make_user(), "viewer")
    for answer in (api.get, api.delete):
        assert errors.code(answer(f"{members_of(room)}{foreign.pk}/"), 404) == "not_found"
    response = api.patch(f"{members_of(room)}{foreign.pk}/", {"role": "editor"})
    assert errors.code(response, 404) == "not_found"


@pytest.mark.parametrize("body", [{}, {"role": None}, {"user": str(uuid4()), "role": "viewer"}], ids=str)
def test_change_with_anything_but_a_role_is_400(body: dict[str, Any], api, user, errors) -> None:
    room = make_room(owner=user)
    member = add_to_room(room, make_user(), "viewer")
    assert errors.fields(api.patch(f"{members_of(room)}{member.pk}/", body))


def test_change_and_remove_take_effect(api, user) -> None:
    room = make_room(owner=user)
    member = add_to_room(room, make_user(), "viewer")
    path = f"{members_of(room)}{member.pk}/"
    assert api.patch(path, {"role": "owner"}).json()["role"] == "owner"
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
