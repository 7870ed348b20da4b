"""Pages by cursor: whole, in order, and steady while rows come and go."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from accounts.models import Organization
from collab.models import Room
from tests.factories import make_organization, make_room

pytestmark = pytest.mark.django_db

ROOMS = "/api/v1/rooms/"


@pytest.fixture
def organization(user) -> Organization:
    return make_organization(owner=user)


def names(body: dict) -> list[str]:
    return [row["name"] for row in body["results"]]


def make_many(organization: Organization, count: int, name: str = "Untitled") -> None:
    Room.objects.bulk_create(Room(organization=organization, name=name) for _ in range(count))


def walk(api, url: str | None, link: str = "next") -> list[dict]:
    bodies = []
    while url:
        bodies.append(api.get(url).json())
        url = bodies[-1][link]
    return bodies


@pytest.mark.parametrize("cursor", ["abc", "%00", "cD1hYmM%3D", "x" * 5000, "ü"])
def test_cursor_that_is_not_ours_is_404(cursor: str, api, errors) -> None:
    assert errors.code(api.get(f"{ROOMS}?cursor={cursor}"), 404) == "not_found"


def test_cursor_of_another_ordering_is_404(api, organization, errors) -> None:
    make_many(organization, 3)
    url = api.get(f"{ROOMS}?page_size=2&ordering=name").json()["next"]
    assert errors.code(api.get(url.replace("ordering=name", "ordering=created_at")), 404) == "not_found"


def test_list_that_fits_has_no_links(api, organization) -> None:
    make_many(organization, 2)
    body = api.get(f"{ROOMS}?page_size=2").json()
    assert (body["next"], body["previous"], len(body["results"])) == (None, None, 2)


def test_page_size_is_bounded(api, organization) -> None:
    make_many(organization, 201)
    assert len(api.get(f"{ROOMS}?page_size=100000").json()["results"]) == 200


@pytest.mark.parametrize("size", ["0", "-1", "null", "1.5", "", "٣"])
def test_page_size_that_is_no_positive_number_is_400(size: str, api, errors) -> None:
    assert list(errors.fields(api.get(ROOMS, {"page_size": size}))) == ["page_size"]


@pytest.mark.parametrize("size", ["1", "00001"])
def test_page_size_is_taken_as_a_number(size: str, api, organization) -> None:
    make_many(organization, 2)
    assert len(api.get(ROOMS, {"page_size": size}).json()["results"]) == 1


@pytest.mark.parametrize("ordering", ["name", "-name", "created_at", "-created_at"])
def test_pages_forth_and_back_are_the_whole_list(ordering: str, api, organization) -> None:
    for name in ("b", "a", "b", "c", "b", "a", "b"):
        make_room(organization, name=name)
    whole = api.get(f"{ROOMS}?ordering={ordering}").json()["results"]
    forth = walk(api, f"{ROOMS}?ordering={ordering}&page_size=2")
    assert [row for body in forth for row in body["results"]] == whole
    back = walk(api, forth[-1]["previous"], "previous")
    assert [row for body in reversed(back) for row in body["results"]] == whole[:6]


def test_pages_of_rows_of_equal_value_come_to_an_end(api, organization) -> None:
    make_many(organization, 1100)
    pages = walk(api, f"{ROOMS}?ordering=name&page_size=200")
    ids = [row["id"] for body in pages for row in body["results"]]
    assert (len(ids), len(set(ids))) == (1100, 1100)


def test_next_page_after_a_row_was_deleted_skips_none(api, organization) -> None:
    make_many(organization, 6)
    first = api.get(f"{ROOMS}?ordering=name&page_size=3").json()
    rest = set(Room.objects.values_list("pk", flat=True)) - {
        Room.objects.get(pk=row["id"]).pk for row in first["results"]
    }
    Room.objects.filter(pk=first["results"][0]["id"]).delete()
    second = api.get(first["next"]).json()
    assert {row["id"] for row in second["results"]} == {str(pk) for pk in rest}


def test_next_page_after_a_row_was_added_repeats_none(api, organization) -> None:
    for name in "bdf":
        make_room(organization, name=name)
    first = api.get(f"{ROOMS}?ordering=name&page_size=2").json()
    make_room(organization, name="a")
    assert (names(first), names(api.get(first["next"]).json())) == (["b", "d"], ["f"])


def test_pages_keep_filters(api, organization) -> None:
    make_many(organization, 3, "Plan")
    make_many(organization, 3, "Notes")
    pages = walk(api, f"{ROOMS}?search=plan&organization={organization.pk}&page_size=1")
    assert [names(body) for body in pages] == [["Plan"]] * 3


def test_page_that_became_empty_has_no_links(api, organization) -> None:
    now = datetime.now(tz=UTC)
    make_many(organization, 2)
    url = api.get(f"{ROOMS}?page_size=1").json()["next"]
    Room.objects.update(trashed_at=now)
    assert api.get(url).json() == {"next": None, "previous": None, "results": []}
