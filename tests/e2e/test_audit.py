"""The audit trail of a real server: what was done is in it, and it comes out as files."""

from __future__ import annotations

import csv
import json
from io import StringIO

import httpx

from tests.support.api import Person
from tests.support.site import Site


def download(person: Person, path: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {person.access}", "Accept": "text/csv"}
    return httpx.get(f"{person.base_url}/api/v1/{path}", headers=headers, timeout=30)


async def test_trail_of_a_room_is_downloaded_as_it_is_listed(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.revoke(room, alice.share(room, bob))
    listed = alice.request("GET", f"rooms/{room}/audit/")["results"]
    assert [entry["action"] for entry in listed] == [
        "room.member.removed",
        "room.member.added",
        "room.created",
    ]
    lines = download(alice, f"rooms/{room}/audit/export/?type=jsonl").text.splitlines()
    assert [json.loads(line) for line in lines] == listed[::-1]
    table = download(alice, f"rooms/{room}/audit/export/")
    assert table.headers["content-disposition"].endswith('.csv"')
    rows = csv.DictReader(StringIO(table.text, newline=""))
    assert [row["digest"] for row in rows] == [entry["digest"] for entry in listed[::-1]]


async def test_trail_of_somebody_elses_room_is_404(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    answer = download(bob, f"rooms/{alice.create_room()}/audit/export/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
