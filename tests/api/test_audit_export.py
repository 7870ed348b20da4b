"""Audit trails as files over REST: whole, streamed in batches, as long as the right to them lasts."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import StreamingHttpResponse

from accounts.audit import AuditAction, record
from accounts.models import AuditEntry, Organization, OrganizationMember, Origin, User
from collab import exports
from collab.models import Room
from tests.factories import make_group, make_organization, make_room, make_user

pytestmark = pytest.mark.django_db(transaction=True)  # a batch gives its connection back


@pytest.fixture
def user(transactional_db: None) -> User:
    return make_user("Ada", email="ada@example.com")


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


async def parts_of(response: StreamingHttpResponse) -> list[bytes]:
    parts: AsyncIterator[bytes] = response.streaming_content
    return [part async for part in parts]


def text_of(response: StreamingHttpResponse) -> str:
    return b"".join(async_to_sync(parts_of)(response)).decode()


def test_export_takes_the_filters_of_the_list(api, organization: Organization) -> None:
    ada, grace = make_user(), make_user()
    for actor in (ada, grace, ada):
        write(organization, actor=actor)
    lines = text_of(api.get(url_of(organization, f"export/?type=jsonl&actor={ada.pk}"))).splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 3]


def test_export_does_not_tell_the_room_of_another_organization(api, organization: Organization) -> None:
    foreign = make_room(name="Secret")
    write(organization, room_id=foreign.pk)
    for kind in ("csv", "jsonl"):
        text = text_of(api.get(url_of(organization, f"export/?type={kind}")))
        assert "room.member.added" in text
        assert str(foreign.pk) not in text


def test_export_has_every_entry_oldest_first_as_the_list_tells_it(
    api, organization: Organization, room: Room, monkeypatch
) -> None:
    monkeypatch.setattr(exports, "BATCH", 2)
    for number in range(5):
        write(organization, actor=make_user(), room_id=room.pk, turn=number)
    for place in (organization, room):
        listed = api.get(url_of(place)).json()["results"]
        lines = text_of(api.get(url_of(place, "export/?type=jsonl"))).splitlines()
        assert [json.loads(line) for line in lines] == listed[::-1]
        rows = list(csv.DictReader(StringIO(text_of(api.get(url_of(place, "export/"))))))
        assert [(int(row["number"]), row["actor_email"], row["digest"]) for row in rows] == [
            (entry["number"], entry["actor"]["email"], entry["digest"]) for entry in listed[::-1]
        ]
        assert json.loads(rows[3]["details"]) == {"turn": 3}


@pytest.mark.parametrize(("kind", "media_type"), [("csv", "text/csv"), ("jsonl", "application/x-ndjson")])
@pytest.mark.parametrize("accepted", ["*/*", "text/csv", "application/x-ndjson", "text/html"])
def test_export_is_a_file_whatever_is_accepted(
    kind: str, media_type: str, accepted: str, api, organization: Organization
) -> None:
    response = api.get(url_of(organization, f"export/?type={kind}"), HTTP_ACCEPT=accepted)
    assert response.status_code == 200
    assert response["Content-Type"] == f"{media_type}; charset=utf-8"
    name = f"audit-organization-{organization.pk}.{kind}"
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'


def test_page_of_an_allowed_origin_reads_the_name_of_an_export(
    api, organization: Organization, settings: Any
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com"]
    response = api.get(url_of(organization, "export/"), HTTP_ORIGIN="https://app.example.com")
    assert "Content-Disposition" in response["Access-Control-Expose-Headers"]
    text_of(response)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_export_as_csv_has_no_cell_that_a_spreadsheet_computes(
    start: str, api, organization: Organization, room: Room
) -> None:
    evil = f'{start}HYPERLINK("http://evil.example")'
    actor = make_user(evil, email=f"{start.strip() or '='}evil@example.com")
    actor.origin = Origin(None, evil)
    Room.objects.filter(pk=room.pk).update(name=evil)
    write(organization, actor=actor, room_id=room.pk, subject_id=make_group(organization).pk)
    organization.groups.update(name=evil)
    header, row = csv.reader(StringIO(text_of(api.get(url_of(organization, "export/"))), newline=""))
    cells = dict(zip(header, row, strict=True))
    assert {cells[name] for name in ("actor_name", "room_name", "subject_name", "user_agent")} == {f"'{evil}"}
    assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_export_holds_one_batch_at_a_time(
    api, organization: Organization, monkeypatch, django_assert_num_queries
) -> None:
    monkeypatch.setattr(exports, "BATCH", 2)
    for _ in range(5):
        write(organization, actor=make_user())
    response = api.get(url_of(organization, "export/?type=jsonl"))
    with django_assert_num_queries(3 * 3):  # for each batch: the right to it, the entries, the people
        parts = async_to_sync(parts_of)(response)
    assert [part.count(b"\n") for part in parts] == [2, 2, 1]


def test_export_ends_where_the_right_to_it_does(
    api, user: User, organization: Organization, monkeypatch
) -> None:
    monkeypatch.setattr(exports, "BATCH", 2)
    for _ in range(5):
        write(organization)
    response = api.get(url_of(organization, "export/?type=jsonl"))

    async def first_and_rest() -> None:
        parts = response.streaming_content
        assert (await anext(parts)).count(b"\n") == 2
        await OrganizationMember.objects.filter(user=user).adelete()
        with pytest.raises(asyncio.CancelledError):
            await anext(parts)

    async_to_sync(first_and_rest)()
