"""`manage.py import_documents`: what the stores of other servers hold, byte for byte, becomes rooms."""

from __future__ import annotations

import base64
import csv
import json
import shutil
import sqlite3
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4, uuid5

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from accounts.models import AuditEntry, Organization
from collab import imports
from collab.engine.ports import NewRow
from collab.foreign_stores import YpyFiles
from collab.models import Checkpoint, Room, RoomMember, StoredUpdate
from collab.services.rooms import trash_room
from collab.store import append_rows, read_log
from collab.verification import verify_room
from tests.engine.builders import client, document_of, text, typed, update
from tests.engine.yjs import generate_sessions, read_documents
from tests.factories import make_organization, make_user
from tests.support.postgres import Postgres

pytestmark = pytest.mark.django_db(transaction=True)

STORES = Path(__file__).parent.parent / "fixtures" / "stores"
#: As `@hocuspocus/extension-sqlite` 4.7 writes it.
HOCUSPOCUS_SCHEMA = """CREATE TABLE IF NOT EXISTS "documents" (
  "name" varchar(255) NOT NULL,
  "data" blob NOT NULL,
  UNIQUE(name)
)"""
#: `Y.encodeStateAsUpdateV2()` of Yjs 13.6: of a text, of nested types with formats and deletions, of nothing.
V2 = [
    bytes.fromhex(content)
    for content in (
        "00000105000001040c097465787468656c6c6f04050101000001010000",
        "000200020246030400080402000b2700080006008100840086120c6d6b74626f6c6463626f6c64410104010405010000000101"
        "000203020106007d01770161760101627d01787e0106010501",
        "00000000000001000000000000",
    )
]
HELLO = typed(7, "hello")


@pytest.fixture
def organization() -> Organization:
    return make_organization(owner=make_user("Ada", email="ada@example.com"))


def run(organization: Organization, kind: str, *arguments: object) -> tuple[int, str]:
    """The exit status and what was printed."""
    out = StringIO()
    given = ["--from", kind, "--organization", organization.pk, *arguments]
    try:
        call_command("import_documents", *map(str, given), stdout=out, stderr=StringIO())
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def run_json(organization: Organization, kind: str, *arguments: object) -> tuple[int, dict[str, Any], Any]:
    """The exit status, what was said of each document, and the summary."""
    status, printed = run(organization, kind, "--json", *arguments)
    *lines, last = [json.loads(line) for line in printed.splitlines()]
    return status, {line["document"]: line for line in lines}, last["summary"]


def hocuspocus(path: Path, documents: dict[str, object]) -> Path:
    with sqlite3.connect(path) as database:
        database.execute(HOCUSPOCUS_SCHEMA)
        database.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?)", documents.items())
    database.close()
    return path


def json_lines(path: Path, *lines: tuple[str, bytes]) -> Path:
    path.write_text(
        "".join(json.dumps({"name": n, "update": base64.b64encode(u).decode()}) + "\n" for n, u in lines)
    )
    return path


def room_of(organization: Organization, name: str) -> Room:
    return Room.objects.get(pk=uuid5(organization.pk, name))


def stored(room: Room) -> list[bytes]:
    part = read_log(room.pk, 0)
    assert part is not None
    return part.updates


def shown(room: Room) -> Any:
    """What real Yjs shows of a room."""
    return read_documents([stored(room)])[0]


def test_sessions_in_hocuspocus_sqlite_become_rooms_that_show_the_same(
    organization: Organization, tmp_path: Path
) -> None:
    sessions = generate_sessions(seed=5, sessions=6, edits=25)
    states = [document_of(*session.all_updates).encode() for session in sessions]
    names = [f"page {number} – ä" for number in range(6)]
    path = hocuspocus(tmp_path / "db.sqlite", dict(zip(names, states, strict=True)))
    status, found, summary = run_json(organization, "hocuspocus-sqlite", path)
    assert status == 0
    assert summary["created"] == summary["documents"] == 6
    for name, session in zip(names, sessions, strict=True):
        room = room_of(organization, name)
        assert found[name]["room"] == str(room.pk)
        assert room.name == name
        assert shown(room) == session.right
        report = verify_room(room.pk)
        assert report is not None
        assert not report.is_damaged


def test_postgres_rows_become_rooms(
    organization: Organization, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.create_database(f"hocuspocus_{uuid4().hex}")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE pages (slug text, state bytea)")
        rows = [("one", HELLO), ("two", typed(8, "2")), ("text", b"\xff")]
        connection.cursor().executemany("INSERT INTO pages VALUES (%s, %s)", rows)
    query = "SELECT slug, state FROM pages ORDER BY slug;"
    monkeypatch.setenv("DOCUMENTS_URL", url)
    status, found, summary = run_json(organization, "hocuspocus-database", "--query", query)
    assert (status, summary["created"], summary["refused"]) == (1, 2, 1)
    assert found["text"]["status"] == "refused"
    assert stored(room_of(organization, "one")) == [HELLO]
    with pytest.raises(CommandError, match="two columns"):
        run(organization, "hocuspocus-database", "--query", "SELECT slug FROM pages")
    with pytest.raises(CommandError, match="can't be read"):
        run(organization, "hocuspocus-database", "--query", "SELECT a, b FROM nowhere")
    with pytest.raises(CommandError, match="can't be read"):
        run(organization, "hocuspocus-database", "--query", "DELETE FROM pages RETURNING slug, state")


@pytest.mark.parametrize(
    ("kind", "store"),
    [
        ("ypy-sqlite", "pycrdt.sqlite3"),
        ("ypy-sqlite", "ypy.sqlite3"),
        ("ypy-file", "pycrdt-files"),
        ("ypy-file", "ypy-files"),
    ],
)
def test_stores_that_the_libraries_wrote_become_rooms(
    organization: Organization, kind: str, store: str
) -> None:
    status, printed = run(organization, kind, STORES / store)
    assert (status, printed) == (0, "2 documents: 2 created\n")
    assert "one, two" in shown(room_of(organization, "notes/one.md")).content
    assert "second" in shown(room_of(organization, "two")).content


def test_checkpoint_without_the_rows_before_it_is_read(organization: Organization, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    shutil.copy(STORES / "pycrdt.sqlite3", path)
    with sqlite3.connect(path) as database:
        database.execute(
            "DELETE FROM yupdates WHERE rowid IN (SELECT min(rowid) FROM yupdates GROUP BY path)"
        )
    database.close()
    run(organization, "ypy-sqlite", path)
    assert "one, two" in shown(room_of(organization, "notes/one.md")).content


def test_other_version_of_a_ypy_store_is_refused(organization: Organization, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    shutil.copy(STORES / "ypy.sqlite3", path)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 1")
    database.close()
    with pytest.raises(CommandError, match="version 1"):
        run(organization, "ypy-sqlite", path)
    (tmp_path / "old").write_bytes(b"VERSION:1\n")
    status, found, _ = run_json(organization, "ypy-file", tmp_path / "old")
    assert status == 1
    assert "VERSION:2" in found["old"]["detail"]


def test_every_cut_of_a_file_is_refused_or_a_whole_number_of_entries(tmp_path: Path) -> None:
    content = (STORES / "pycrdt-files" / "two").read_bytes()
    whole = 0
    for end in range(len(content)):
        (tmp_path / "two").write_bytes(content[:end])
        (document,) = YpyFiles(tmp_path)
        try:
            whole += bool(list(document.read()))
        except imports.UnreadableError:
            continue
    assert whole == 1


def test_json_lines_of_one_name_are_taken_in_together_in_any_order(
    organization: Organization, tmp_path: Path
) -> None:
    session = generate_sessions(seed=9, sessions=1, edits=30)[0]
    lines = [("a", data) for data in reversed(session.all_updates)]
    lines.insert(3, ("b", HELLO))
    path = json_lines(tmp_path / "dump.jsonl", *lines)
    assert run(organization, "updates", path) == (0, "2 documents: 2 created\n")
    assert shown(room_of(organization, "a")) == session.right
    assert stored(room_of(organization, "b")) == [HELLO]


@pytest.mark.parametrize("line", ["no json", "[]", '{"name": 1, "update": ""}', '{"update": ""}'])
def test_line_without_a_name_ends_the_command_before_anything_is_written(
    organization: Organization, tmp_path: Path, line: str
) -> None:
    path = json_lines(tmp_path / "dump.jsonl", ("a", HELLO))
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(CommandError, match="Line 2"):
        run(organization, "updates", path)
    assert not Room.objects.exists()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "number"),
        (HELLO + b"\x00", "follow"),
        (HELLO[:-2], "Update 1 can't be taken in"),
        ("text", "no bytes"),
        *((data, "v2 format") for data in V2),
    ],
)
def test_bad_document_is_named_and_skipped_and_the_others_come(
    organization: Organization, tmp_path: Path, data: object, reason: str
) -> None:
    path = hocuspocus(tmp_path / "db.sqlite", {"a": HELLO, "bad": data, "c": HELLO})
    status, found, summary = run_json(organization, "hocuspocus-sqlite", path)
    assert status == 1
    assert (summary["created"], summary["refused"]) == (2, 1)
    assert reason in found["bad"]["detail"]
    assert found["bad"]["room"] is None
    assert Room.objects.count() == 2


def test_second_run_brings_what_is_new_and_nothing_twice(organization: Organization, tmp_path: Path) -> None:
    path = hocuspocus(tmp_path / "db.sqlite", {"a": HELLO, "b": HELLO})
    run(organization, "hocuspocus-sqlite", path)
    room = room_of(organization, "a")
    append_rows([NewRow(str(room.pk), typed(8, "written here"))])
    assert run(organization, "hocuspocus-sqlite", path) == (0, "2 documents: 2 unchanged\n")
    longer = document_of(HELLO, update(client(7, 5, text(" again", (7, 4))))).encode()
    hocuspocus(path, {"a": longer, "c": HELLO})
    status, found, _ = run_json(organization, "hocuspocus-sqlite", path)
    assert status == 0
    assert {name: line["status"] for name, line in found.items()} == {
        "a": "updated",
        "b": "unchanged",
        "c": "created",
    }
    expected = document_of(longer, typed(8, "written here"))
    assert document_of(*stored(room)).encode() == expected.encode()
    assert len(StoredUpdate.objects.get(room=room, seq=3).data) < len(longer)
    assert Room.objects.count() == 3


def test_deletion_that_came_since_is_brought(organization: Organization, tmp_path: Path) -> None:
    path = hocuspocus(tmp_path / "db.sqlite", {"a": HELLO})
    run(organization, "hocuspocus-sqlite", path)
    hocuspocus(path, {"a": document_of(HELLO, update(deletes={7: [(0, 5)]})).encode()})
    assert run(organization, "hocuspocus-sqlite", path)[1] == "1 documents: 1 updated\n"
    assert run(organization, "hocuspocus-sqlite", path)[1] == "1 documents: 1 unchanged\n"


def test_prefix_keeps_stores_with_the_same_names_apart(organization: Organization, tmp_path: Path) -> None:
    path = hocuspocus(tmp_path / "db.sqlite", {"a": HELLO})
    run(organization, "hocuspocus-sqlite", path)
    run(organization, "hocuspocus-sqlite", path, "--prefix", "wiki/")
    assert room_of(organization, "wiki/a").name == "a"
    assert Room.objects.count() == 2


def test_two_organizations_get_rooms_of_their_own(organization: Organization, tmp_path: Path) -> None:
    other = make_organization(owner=make_user())
    path = hocuspocus(tmp_path / "db.sqlite", {"a": HELLO})
    for each in (organization, other):
        assert run(each, "hocuspocus-sqlite", path)[1] == "1 documents: 1 created\n"
        assert room_of(each, "a").organization == each


def test_room_in_the_trash_stays_as_it_is(organization: Organization, tmp_path: Path) -> None:
    path = hocuspocus(tmp_path / "db.sqlite", {"a": HELLO})
    run(organization, "hocuspocus-sqlite", path)
    room = room_of(organization, "a")
    trash_room(actor=organization.members.get().user, room_id=room.pk)
    hocuspocus(path, {"a": typed(9, "other")})
    assert run(organization, "hocuspocus-sqlite", path) == (0, "1 documents: 1 in trash\n")
    assert stored(room) == [HELLO]


def test_dry_run_says_the_same_and_writes_nothing(organization: Organization, tmp_path: Path) -> None:
    path = hocuspocus(tmp_path / "db.sqlite", {"a": HELLO, "bad": b"\xff"})
    status, printed = run(organization, "hocuspocus-sqlite", path, "--dry-run")
    assert status == 1
    assert printed.endswith("2 documents: 1 created, 1 refused; nothing was written\n")
    assert not Room.objects.exists()
    run(organization, "hocuspocus-sqlite", path)
    hocuspocus(path, {"a": typed(9, "other")})
    entries = AuditEntry.objects.count()
    assert "1 updated" in run(organization, "hocuspocus-sqlite", path, "--dry-run")[1]
    assert stored(room_of(organization, "a")) == [HELLO]
    assert AuditEntry.objects.count() == entries


def test_owner_role_and_names_are_as_told(organization: Organization, tmp_path: Path) -> None:
    dan = make_user("Dan", email="dan@example.com")
    organization.members.create(user=dan, role="member")
    path = hocuspocus(tmp_path / "db.sqlite", {"a": HELLO, "b": HELLO, "c": HELLO})
    rooms = tmp_path / "rooms.csv"
    with rooms.open("w", newline="") as file:
        csv.writer(file).writerows(
            [("document", "name", "owner"), ("b", "Menu, winter", "Dan@example.com"), ("c", "Wines", "")]
        )
    options = ["--rooms", rooms, "--name-template", "Moved: {name}", "--organization-role", "editor"]
    assert run(organization, "hocuspocus-sqlite", path, *options)[0] == 0
    found = {
        room.name: (room.members.get().user.name, room.members.get().role, room.organization_role)
        for room in Room.objects.all()
    }
    assert found == {
        "Moved: a": ("Ada", "owner", "editor"),
        "Menu, winter": ("Dan", "owner", "editor"),
        "Wines": ("Ada", "owner", "editor"),
    }


@pytest.mark.parametrize("role", ["guest", None])
def test_owner_who_may_make_no_rooms_ends_the_command(
    organization: Organization, tmp_path: Path, role: str | None
) -> None:
    dan = make_user("Dan", email="dan@example.com")
    if role:
        organization.members.create(user=dan, role=role)
    path = hocuspocus(tmp_path / "db.sqlite", {"a": HELLO})
    with pytest.raises(CommandError, match=r"dan@example\.com can't own"):
        run(organization, "hocuspocus-sqlite", path, "--owner", "dan@example.com")
    with pytest.raises(CommandError, match=r"nobody@example\.com can't own"):
        run(organization, "hocuspocus-sqlite", path, "--owner", "nobody@example.com")
    assert not Room.objects.exists()


def test_unknown_organization_and_missing_stores_end_the_command(
    organization: Organization, tmp_path: Path
) -> None:
    nowhere = Organization(pk=uuid4())
    with pytest.raises(CommandError, match="no organization"):
        run(nowhere, "updates", tmp_path)
    for kind in ("hocuspocus-sqlite", "ypy-sqlite", "ypy-file", "updates"):
        with pytest.raises(CommandError, match=r"missing|no such|can't be read|There is no"):
            run(organization, kind, tmp_path / "missing")
        with pytest.raises(CommandError, match="Give the file"):
            run(organization, kind)
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("name", ["", " \n ", "\x00"])
def test_document_without_a_usable_name_is_refused(
    organization: Organization, tmp_path: Path, name: str
) -> None:
    path = json_lines(tmp_path / "dump.jsonl", (name, HELLO))
    status, found, _ = run_json(organization, "updates", path)
    assert status == 1
    assert "no name" in found[name]["detail"]


def test_long_and_odd_names_are_made_into_names_of_rooms(organization: Organization, tmp_path: Path) -> None:
    path = json_lines(tmp_path / "dump.jsonl", ("a\x00b\n" + "x" * 300, HELLO))
    assert run(organization, "updates", path)[0] == 0
    assert Room.objects.get().name == "a b " + "x" * 196


def test_document_beyond_the_limit_is_refused(
    organization: Organization, tmp_path: Path, settings: Any
) -> None:
    from dataclasses import replace

    parts = [typed(client, "x" * 400) for client in (7, 8, 9)]
    path = json_lines(tmp_path / "dump.jsonl", *[("large", part) for part in parts], ("small", HELLO))
    with override_settings(COLLAB_LIMITS=replace(settings.COLLAB_LIMITS, max_document_bytes=1500)):
        status, found, _ = run_json(organization, "updates", path)
    assert status == 1
    assert "COLLAB_MAX_DOCUMENT_BYTES" in found["large"]["detail"]
    assert found["small"]["status"] == "created"


def test_missing_updates_are_told_and_what_is_there_is_kept(
    organization: Organization, tmp_path: Path
) -> None:
    later = update(client(7, 5, text(" world", (7, 4))))
    path = json_lines(tmp_path / "dump.jsonl", ("a", later))
    status, found, _ = run_json(organization, "updates", path)
    assert status == 0
    assert "missing" in found["a"]["detail"]
    json_lines(path, ("a", later), ("a", HELLO))
    assert run(organization, "updates", path)[1] == "1 documents: 1 updated\n"
    assert not shown(room_of(organization, "a")).pending
    assert document_of(*stored(room_of(organization, "a"))).state_vector() == {7: 11}


def test_every_import_is_in_the_audit_trail(organization: Organization, tmp_path: Path) -> None:
    path = hocuspocus(tmp_path / "db.sqlite", {"a": HELLO})
    run(organization, "hocuspocus-sqlite", path)
    hocuspocus(path, {"a": typed(9, "other")})
    run(organization, "hocuspocus-sqlite", path)
    run(organization, "hocuspocus-sqlite", path)
    entries = AuditEntry.objects.filter(room_id=room_of(organization, "a").pk).order_by("number")
    assert [(entry.action, entry.actor_id, entry.details["imported"]) for entry in entries] == [
        ("room.created", None, True),
        ("room.changed", None, True),
    ]
    assert entries[0].subject_id == organization.members.get().user_id


def test_interrupted_import_leaves_whole_rooms_and_goes_on_later(
    organization: Organization, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hocuspocus(tmp_path / "db.sqlite", {"a": HELLO, "b": HELLO, "c": HELLO})

    def interrupting(real: Callable[..., None]) -> Callable[..., None]:
        def record(*args: Any, **kwargs: Any) -> None:
            if RoomMember.objects.count() == 2:
                raise KeyboardInterrupt
            real(*args, **kwargs)

        return record

    with monkeypatch.context() as patched:
        from collab.services import imports as services

        patched.setattr(services, "record", interrupting(services.record))
        assert run(organization, "hocuspocus-sqlite", path) == (1, "1 documents: 1 created\n")
    assert Room.objects.count() == Checkpoint.objects.count() == RoomMember.objects.count() == 1
    assert run(organization, "hocuspocus-sqlite", path) == (0, "3 documents: 2 created, 1 unchanged\n")
