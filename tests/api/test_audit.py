"""Audit trails over REST: whose they are, what they tell, filters."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.audit import AuditAction, record
from accounts.models import AuditEntry, Organization, Origin, User
from collab.models import Room
from tests.factories import add_to_organization, make_group, make_organization, make_room, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization(user: User) -> Organization:
    return make_organization(owner=user)


@pytest.fixture
def room(organization: Organization) -> Room:
    return make_room(organization)


def write(organization: Organization, **fields: Any) -> AuditEntry:
    fields = {"action": AuditAction.ROOM_MEMBER_ADDED, "actor": None, **fields}
    return record(organization_id=organization.pk, **fields)


def url_of(place: Organization | Room, rest: str = "") -> str:
    kind = "organizations" if isinstance(place, Organization) else "rooms"
    return f"/api/v1/{kind}/{place.pk}/audit/{rest}"


def numbers(response: Any) -> list[int]:
    assert response.status_code == 200, response.content
    return [entry["number"] for entry in response.json()["results"]]


def test_entry_is_told_with_the_names_of_now(api, organization: Organization, room: Room) -> None:
    actor, subject = make_user("Grace"), make_user("Barbara")
    actor.origin = Origin("2001:db8::7", "Firefox")
    add_to_organization(organization, subject, "member")
    entry = write(organization, actor=actor, room_id=room.pk, subject_id=subject.pk, role="editor")
    for place in (organization, room):
        assert api.get(url_of(place)).json()["results"] == [
            {
                "id": str(entry.pk),
                "number": 1,
                "created_at": entry.created_at.isoformat().replace("+00:00", "Z"),
                "action": "room.member.added",
                "actor": {"id": str(actor.pk), "email": actor.email, "name": "Grace"},
                "room": {"id": str(room.pk), "name": room.name},
                "subject_id": str(subject.pk),
                "subject_name": "Barbara",
                "details": {"role": "editor"},
                "address": "2001:db8::7",
                "user_agent": "Firefox",
                "digest": entry.digest,
            }
        ]


def test_entry_about_who_was_erased_has_their_ids_alone(api, organization: Organization) -> None:
    actor, subject = make_user(), make_user()
    write(organization, actor=actor, subject_id=subject.pk)
    ids = str(actor.pk), str(subject.pk)
    actor.delete()
    subject.delete()
    told = api.get(url_of(organization)).json()["results"][0]
    assert told["actor"] == {"id": ids[0], "email": None, "name": None}
    assert (told["subject_id"], told["subject_name"]) == (ids[1], None)


def test_entry_without_anybody_has_nulls(api, organization: Organization) -> None:
    write(organization)
    told = api.get(url_of(organization)).json()["results"][0]
    assert [told[name] for name in ("actor", "room", "subject_id", "subject_name", "address")] == [None] * 5


def test_subject_has_a_name_only_where_the_organization_knows_it(api, organization: Organization) -> None:
    group, foreign_group = make_group(organization), make_group(make_organization())
    in_a_room, stranger = make_user("Grace"), make_user("Mallory")
    make_room(organization, viewer=in_a_room)
    for subject in (group, foreign_group, in_a_room, stranger):
        write(organization, subject_id=subject.pk)
    told = api.get(url_of(organization)).json()["results"]
    assert [entry["subject_name"] for entry in told] == [None, "Grace", None, group.name]


def test_room_of_another_organization_is_not_told(api, organization: Organization) -> None:
    foreign = make_room(name="Secret")
    write(organization, room_id=foreign.pk)
    response = api.get(url_of(organization))
    assert response.json()["results"][0]["room"] is None
    assert str(foreign.pk) not in response.content.decode()


def test_trail_of_a_room_has_nothing_of_other_rooms_and_other_organizations(
    api, organization: Organization, room: Room
) -> None:
    write(organization)
    write(organization, room_id=make_room(organization).pk)
    write(make_organization(), room_id=room.pk)
    write(organization, room_id=room.pk)
    assert numbers(api.get(url_of(room))) == [3]
    assert numbers(api.get(url_of(organization))) == [3, 2, 1]


def test_trail_is_read_page_by_page_from_the_newest_on(api, organization: Organization) -> None:
    for _ in range(5):
        write(organization)
    url, seen = url_of(organization, "?page_size=2"), []
    while url:
        response = api.get(url)
        seen.append(numbers(response))
        write(organization)  # moves nothing
        url = response.json()["next"]
    assert seen == [[5, 4], [3, 2], [1]]


def test_filters_each_and_together(api, organization: Organization) -> None:
    ada, grace = make_user(), make_user()
    write(organization, actor=ada)
    write(organization, actor=grace)
    write(organization, actor=ada, action=AuditAction.ROOM_CREATED)
    second, third = (AuditEntry.objects.get(number=number).created_at for number in (2, 3))
    expected = {
        f"actor={ada.pk}": [3, 1],
        f"actor={uuid4()}": [],
        "action=room.created": [3],
        f"since={_in_url(second)}": [3, 2],
        f"until={_in_url(third)}": [2, 1],
        f"since={_in_url(second)}&until={_in_url(third)}": [2],
        f"actor={ada.pk}&action=room.member.added": [1],
    }
    assert {query: numbers(api.get(url_of(organization, f"?{query}"))) for query in expected} == expected


def _in_url(moment: datetime) -> str:
    return moment.isoformat().replace("+", "%2B")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("action=guess", "action"),
        ("actor=guess", "actor"),
        ("since=yesterday", "since"),
        ("until=0001-01-01T00:00:00%2B14:00", "until"),
        ("since=", "since"),
    ],
)
def test_filter_that_makes_no_sense_is_400(
    query: str, field: str, api, organization: Organization, errors
) -> None:
    for rest in ("?", "export/?"):
        assert list(errors.fields(api.get(url_of(organization, rest + query)))) == [field]


def test_export_of_an_unknown_type_is_400(api, organization: Organization, errors) -> None:
    assert list(errors.fields(api.get(url_of(organization, "export/?type=xls")))) == ["type"]


def test_entries_of_now_are_found_by_time(api, organization: Organization) -> None:
    write(organization)
    assert numbers(api.get(url_of(organization, f"?since={_in_url(timezone.now())}"))) == []
