"""`rooms/{id}/share-links/` and `share-links/redeem/`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from collab.models import Room, ShareLink
from tests.factories import make_link, make_room

pytestmark = pytest.mark.django_db

REDEEM = "/api/v1/share-links/redeem/"
PAST = "2020-01-01T00:00:00Z"


@pytest.fixture
def room(user) -> Room:
    return make_room(owner=user)


@pytest.fixture
def links(room) -> str:
    return f"/api/v1/rooms/{room.pk}/share-links/"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"role": "owner"}, "role"),
        ({"role": None}, "role"),
        ({"expires_at": PAST}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at"),
        ({"password": ""}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": "x\0y"}, "password"),
        ({"max_uses": 0}, "max_uses"),
        ({"max_uses": -1}, "max_uses"),
        ({"max_uses": 2**31}, "max_uses"),
        ({"max_uses": "many"}, "max_uses"),
        ({"uses": 0}, "uses"),
        ({"token": "mine"}, "token"),
    ],
    ids=ascii,
)
def test_create_or_change_with_a_bad_field_is_400_and_names_it(
    change: dict[str, Any], field: str, room, api, errors
) -> None:
    links = f"/api/v1/rooms/{room.pk}/share-links/"
    assert list(errors.fields(api.post(links, {"role": "viewer"} | change))) == [field]
    link = make_link(room)
    assert list(errors.fields(api.patch(f"{links}{link.pk}/", change))) == [field]
    assert ShareLink.objects.count() == 1


def test_create_without_a_role_is_400(links, api, errors) -> None:
    assert list(errors.fields(api.post(links, {}))) == ["role"]


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": None}, {"token": "x" * 201}, {"token": "x\0"}])
def test_redeem_with_a_bad_token_is_400(body, api, errors) -> None:
    assert list(errors.fields(api.post(REDEEM, body))) == ["token"]


def test_create_shows_token_and_url_this_once(links, api, user, settings) -> None:
    settings.FRONTEND_URL = "https://app.example.com"
    expires_at = (timezone.now() + timedelta(hours=1)).replace(microsecond=0)
    body = {"role": "editor", "expires_at": expires_at.isoformat(), "password": " secret ", "max_uses": 3}
    response = api.post(links, body)
    assert response.status_code == 201
    created = response.json()
    link = ShareLink.objects.get()
    assert created == {
        "id": str(link.pk),
        "role": "editor",
        "has_password": True,
        "expires_at": expires_at.isoformat().replace("+00:00", "Z"),
        "max_uses": 3,
        "uses": 0,
        "wrong_passwords": 0,
        "created_by": str(user.pk),
        "created_at": link.created_at.isoformat().replace("+00:00", "Z"),
        "token": created["token"],
        "url": f"https://app.example.com/links/{created['token']}",
    }
    shown = {name: value for name, value in created.items() if name not in {"token", "url"}}
    assert api.get(f"{links}{link.pk}/").json() == shown
    assert api.get(links).json()["results"] == [shown]
    assert api.patch(f"{links}{link.pk}/", {}).json() == shown


def test_change_to_null_takes_password_expiry_and_bound_away(links, room, api) -> None:
    expires_at = timezone.now() + timedelta(hours=1)
    link = make_link(room, password="x", expires_at=expires_at, max_uses=3)
    body = {"password": None, "expires_at": None, "max_uses": None}
    changed = api.patch(f"{links}{link.pk}/", body).json()
    assert [changed[name] for name in ("has_password", "expires_at", "max_uses")] == [False, None, None]


def test_redeem_gives_the_room_with_what_the_caller_may_do(api) -> None:
    link = make_link(make_room(name="Plan"), role="editor", password=make_password(" secret "))
    response = api.post(REDEEM, {"token": link.token, "password": " secret "})
    assert response.status_code == 200
    assert (response.json()["name"], response.json()["role"]) == ("Plan", "editor")
    assert api.get(f"/api/v1/rooms/{link.room_id}/").json() == response.json()


def test_redeem_with_another_password_is_403_and_says_why(api, errors) -> None:
    link = make_link(make_room(), password=make_password("secret"))
    assert errors.code(api.post(REDEEM, {"token": link.token}), 403) == "password_required"
    for code in ["wrong_password"] * 10 + ["too_many_attempts"]:
        assert errors.code(api.post(REDEEM, {"token": link.token, "password": "guess"}), 403) == code
