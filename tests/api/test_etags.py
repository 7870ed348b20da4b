"""`ETag` and `If-Match`: nobody overwrites what they have not seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Organization, User
from collab.models import Room
from tests.factories import (
    add_to_organization,
    add_to_room,
    api_client,
    make_group,
    make_link,
    make_organization,
    make_room,
    make_user,
    run_together,
)

pytestmark = pytest.mark.django_db

Path = str
Change = dict[str, Any]


def own_room(user: User) -> tuple[Path, Change, Change]:
    return f"rooms/{make_room(owner=user).pk}/", {"name": "One"}, {"organization_role": "viewer"}


def own_organization(user: User) -> tuple[Path, Change, Change]:
    return f"organizations/{make_organization(owner=user).pk}/", {"name": "One"}, {"name": "Other"}


def own_link(user: User) -> tuple[Path, Change, Change]:
    link = make_link(make_room(owner=user))
    expiry = (timezone.now() + timedelta(hours=1)).isoformat()
    return f"rooms/{link.room_id}/share-links/{link.pk}/", {"password": "one"}, {"expires_at": expiry}


def own_room_member(user: User) -> tuple[Path, Change, Change]:
    member = add_to_room(make_room(owner=user), make_user(), "viewer")
    return f"rooms/{member.room_id}/members/{member.pk}/", {"role": "editor"}, {"role": "owner"}


def own_organization_member(user: User) -> tuple[Path, Change, Change]:
    organization = make_organization(owner=user)
    member = add_to_organization(organization, make_user(), "guest")
    path = f"organizations/{organization.pk}/members/{member.pk}/"
    return path, {"role": "member"}, {"role": "admin"}


def own_group(user: User) -> tuple[Path, Change, Change]:
    group = make_group(make_organization(owner=user))
    return f"organizations/{group.organization_id}/groups/{group.pk}/", {"name": "One"}, {"name": "Other"}


THINGS = [own_room, own_organization, own_link, own_room_member, own_organization_member, own_group]


@pytest.fixture(params=THINGS, ids=lambda make: make.__name__)
def thing(request: pytest.FixtureRequest, user: User) -> tuple[Path, Change, Change]:
    """The path of something that the caller may change, and two changes of it."""
    path, one, other = request.param(user)
    return f"/api/v1/{path}", one, other


def test_change_of_what_was_changed_meanwhile_is_412_and_changes_nothing(thing, api, errors) -> None:
    path, one, other = thing
    seen = api.get(path)["ETag"]
    now = api.patch(path, one)
    assert errors.code(api.patch(path, other, headers={"If-Match": seen}), 412) == "precondition_failed"
    assert api.get(path).json() == now.json()


def test_delete_of_what_was_changed_meanwhile_is_412_and_deletes_nothing(thing, api, errors) -> None:
    path, one, _ = thing
    seen = api.get(path)["ETag"]
    api.patch(path, one)
    assert errors.code(api.delete(path, headers={"If-Match": seen}), 412) == "precondition_failed"
    assert api.get(path).status_code == 200


def test_change_with_the_etag_of_the_change_before_is_made(thing, api) -> None:
    path, one, other = thing
    first = api.patch(path, one, headers={"If-Match": api.get(path)["ETag"]})
    second = api.patch(path, other, headers={"If-Match": first["ETag"]})
    assert (first.status_code, second.status_code) == (200, 200)
    assert len({first["ETag"], second["ETag"]}) == 2
    assert api.get(path)["ETag"] == second["ETag"]
    assert api.delete(path, headers={"If-Match": second["ETag"]}).status_code == 204


def test_change_of_oneself_with_a_stale_etag_is_412(api, user, errors) -> None:
    seen = {"If-Match": api.get("/api/v1/users/me/")["ETag"]}
    assert api.patch("/api/v1/users/me/", {"name": "One"}, headers=seen).status_code == 200
    response = api.patch("/api/v1/users/me/", {"name": "Other"}, headers=seen)
    assert errors.code(response, 412) == "precondition_failed"
    assert api.get("/api/v1/users/me/").json()["name"] == "One"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("*", 200),
        (" * ", 200),
        ("{etag}", 200),
        ('"other", {etag}', 200),
        ("W/{etag}", 412),
        ('"other"', 412),
        ('"*"', 412),
        ("", 412),
        ("nonsense", 412),
        ('"unfinished', 412),
    ],
)
def test_if_match_is_read_as_the_standard_says(header: str, status: int, api, user) -> None:
    path = f"/api/v1/rooms/{make_room(owner=user).pk}/"
    etag = api.get(path)["ETag"]
    response = api.patch(path, {"name": "New"}, headers={"If-Match": header.format(etag=etag)})
    assert response.status_code == status


def test_if_match_of_another_object_that_is_alike_is_412(api, user) -> None:
    one, other = (f"/api/v1/rooms/{make_room(owner=user, name='Plan').pk}/" for _ in range(2))
    assert api.patch(one, {"name": "New"}, headers={"If-Match": api.get(other)["ETag"]}).status_code == 412


def test_if_match_is_looked_at_only_for_those_who_may_change_it(api, user) -> None:
    stale = {"If-Match": '"stale"'}
    for room, status in ((make_room(), 404), (make_room(viewer=user), 403)):
        assert api.patch(f"/api/v1/rooms/{room.pk}/", {"name": "New"}, headers=stale).status_code == status


def test_etag_is_the_same_for_everyone_and_stays_when_access_moves(api, user) -> None:
    viewer = make_user()
    room = make_room(owner=user, viewer=viewer)
    path = f"/api/v1/rooms/{room.pk}/"
    etag = api.get(path)["ETag"]
    assert api_client(viewer).get(path)["ETag"] == etag
    Room.objects.update(access_epoch=7)
    assert api.get(path)["ETag"] == etag


def test_page_of_an_allowed_origin_may_read_etags_and_send_if_match(api, user, settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com"]
    path = f"/api/v1/rooms/{make_room(owner=user).pk}/"
    origin = {"Origin": "https://app.example.com"}
    asked = origin | {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "if-match",
    }
    assert "if-match" in api.options(path, headers=asked)["Access-Control-Allow-Headers"]
    assert "ETag" in api.get(path, headers=origin)["Access-Control-Expose-Headers"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("make", THINGS, ids=lambda make: make.__name__)
def test_changes_at_once_of_the_same_version_are_made_once(make: Callable[..., Any]) -> None:
    user = make_user()
    path, one, other = make(user)
    api = api_client(user)
    headers = {"If-Match": api.get(f"/api/v1/{path}")["ETag"]}
    # Clients of their own: they are used in threads.
    changes = [
        partial(api_client(user).patch, f"/api/v1/{path}", body, headers=headers) for body in (one, other)
    ]
    statuses = sorted(response.status_code for response in run_together(*changes, *changes))
    assert statuses == [200, 412, 412, 412]
    assert Organization.objects.exists()
