"""`rooms/{id}/access-requests/`."""

from __future__ import annotations

from typing import Any

import pytest

from collab.models import AccessRequest
from tests.factories import api_client, make_organization, make_room, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "role"),
        ({"role": "owner"}, "role"),
        ({"role": None}, "role"),
        ({"role": "viewer", "message": None}, "message"),
        ({"role": "viewer", "message": "x" * 501}, "message"),
        ({"role": "viewer", "message": "x\0y"}, "message"),
        ({"role": "viewer", "user": "me"}, "user"),
        ({"role": "viewer", "status": "accepted"}, "status"),
    ],
    ids=ascii,
)
def test_create_with_a_bad_field_is_400_and_names_it(
    body: dict[str, Any], field: str, api, user, errors
) -> None:
    room = make_room(make_organization(guest=user))
    assert list(errors.fields(api.post(f"/api/v1/rooms/{room.pk}/access-requests/", body))) == [field]


def test_request_is_made_seen_and_answered(api, user) -> None:
    owner = make_user()
    room = make_room(make_organization(guest=user), owner=owner)
    path = f"/api/v1/rooms/{room.pk}/access-requests/"
    response = api.post(path, {"role": "editor", "message": "Please"})
    request = AccessRequest.objects.get()
    expected = {
        "id": str(request.pk),
        "user": {"id": str(user.pk), "email": user.email, "name": user.name},
        "role": "editor",
        "message": "Please",
        "status": "pending",
        "answered_by": None,
        "answered_at": None,
        "created_at": request.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert (response.status_code, response.json()) == (201, expected)
    assert api.get(f"{path}{request.pk}/").json() == expected
    answer = api_client(owner).post(f"{path}{request.pk}/accept/", {"role": "viewer"})
    request.refresh_from_db()
    assert answer.status_code == 200
    assert answer.json() == expected | {
        "role": "viewer",
        "status": "accepted",
        "answered_by": str(owner.pk),
        "answered_at": request.answered_at.isoformat().replace("+00:00", "Z"),
    }
    assert api.get(f"/api/v1/rooms/{room.pk}/").json()["role"] == "viewer"


@pytest.mark.parametrize("body", [{"role": "owner"}, {"role": None}, {"message": "No"}])
def test_accept_with_a_bad_body_is_400(body: dict[str, Any], api, user, errors) -> None:
    room = make_room(owner=user)
    request = AccessRequest.objects.create(room=room, user=make_user(), role="viewer")
    assert errors.fields(api.post(f"/api/v1/rooms/{room.pk}/access-requests/{request.pk}/accept/", body))


def test_what_can_not_be_asked_or_answered_is_400_and_says_why(api, user, errors) -> None:
    room = make_room(make_organization(admin=user), owner=make_user())
    path = f"/api/v1/rooms/{room.pk}/access-requests/"
    assert errors.code(api.post(path, {"role": "viewer"}), 400) == "already_has_access"
    request = AccessRequest.objects.create(room=room, user=make_user(), role="viewer")
    assert api.post(f"{path}{request.pk}/decline/").status_code == 200
    assert errors.code(api.post(f"{path}{request.pk}/accept/"), 400) == "already_answered"
    guest = make_user()
    guests = make_room(make_organization(guest=guest))
    ask = api_client(guest).post
    assert ask(f"/api/v1/rooms/{guests.pk}/access-requests/", {"role": "viewer"}).status_code == 201
    again = ask(f"/api/v1/rooms/{guests.pk}/access-requests/", {"role": "editor"})
    assert errors.code(again, 400) == "already_requested"
