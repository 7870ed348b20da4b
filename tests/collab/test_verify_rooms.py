"""`manage.py verify_rooms`: what it prints, and how it exits."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command

from collab.engine.ports import NewRow
from collab.management.commands import verify_rooms
from collab.models import Room, RoomHead, StoredUpdate
from collab.store import append_rows, read_log
from tests.engine.builders import typed
from tests.factories import make_organization, make_room

pytestmark = pytest.mark.django_db(transaction=True)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def run(*arguments: object, stderr: StringIO | None = None) -> tuple[int, str]:
    """The exit status and what was printed."""
    out = StringIO()
    try:
        call_command("verify_rooms", *map(str, arguments), stdout=out, stderr=stderr or StringIO())
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def run_json(*arguments: object) -> tuple[int, list[dict[str, Any]]]:
    status, printed = run("--json", *arguments)
    return status, [json.loads(line) for line in printed.splitlines()]


def new_log(**fields: object) -> Room:
    room = make_room(**fields)
    append_rows([NewRow(str(room.pk), typed(7, "x", clock)) for clock in range(3)])
    return room


def damaged_log(**fields: object) -> Room:
    """A room whose head is ahead of its rows."""
    room = new_log(**fields)
    RoomHead.objects.filter(room=room).update(seq=5)
    return room


def lost_log() -> Room:
    """A room of which nothing can be read."""
    room = new_log()
    StoredUpdate.objects.filter(room=room).update(data=b"\xff")
    return room


def test_healthy_rooms_are_summed_up_and_exit_0() -> None:
    new_log()
    make_room()
    size = sum(len(row.data) for row in StoredUpdate.objects.all())
    assert run() == (0, f"2 rooms, 3 rows, {size} bytes; damaged: 0\n")


def test_no_rooms_at_all_exit_0() -> None:
    assert run() == (0, "0 rooms, 0 rows, 0 bytes; damaged: 0\n")


def test_damaged_room_is_told_with_its_id_and_exits_1() -> None:
    room = damaged_log()
    status, printed = run()
    assert status == 1
    assert f"Room {room.pk}\n  head_ahead 4-5: The last rows are missing.\n" in printed
    assert "damaged: 1\n  found        1  head_ahead\n" in printed


def test_warning_is_told_and_exits_0() -> None:
    room = make_room()
    append_rows([NewRow(str(room.pk), typed(7, "x", 4))])
    status, printed = run()
    assert status == 0
    assert "clocks_missing 0-1: Structs wait for clocks 0 to 3 of client 7." in printed


def test_repair_tells_what_it_did_and_exits_0_once_all_is_well() -> None:
    room = damaged_log()
    status, printed = run("--repair")
    assert status == 0
    assert "  mended: checkpoint_written 5: It holds all that can be read.\n" in printed
    assert "  mended       1  checkpoint_written\n" in printed
    assert read_log(room.pk, 0) is not None
    assert "head_ahead" not in run()[1]


def test_repair_of_what_can_t_be_mended_exits_1() -> None:
    lost_log()
    status, printed = run("--repair")
    assert status == 1
    assert "damaged: 1\n" in printed
    assert "mended" not in printed


def test_without_repair_nothing_is_mended() -> None:
    room = damaged_log()
    run()
    assert RoomHead.objects.get(room=room).seq == 5
    assert StoredUpdate.objects.filter(room=room).count() == 3


def test_json_is_a_line_for_each_room_with_findings_and_one_for_the_summary() -> None:
    room = damaged_log()
    new_log()
    size = sum(len(row.data) for row in StoredUpdate.objects.all())
    finding = {"kind": "head_ahead", "first": 4, "last": 5, "detail": "The last rows are missing."}
    mend = {"kind": "checkpoint_written", "first": 5, "last": 5, "detail": "It holds all that can be read."}
    summary = {"rooms": 2, "rows": 6, "bytes": size, "findings": {"head_ahead": 1}}
    assert run_json() == (
        1,
        [
            {"room": str(room.pk), "findings": [finding], "mends": [], "left": [finding]},
            {"summary": {**summary, "damaged_rooms": 1, "mends": {}}},
        ],
    )
    assert run_json("--repair") == (
        0,
        [
            {"room": str(room.pk), "findings": [finding], "mends": [mend], "left": []},
            {"summary": {**summary, "damaged_rooms": 0, "mends": {"checkpoint_written": 1}}},
        ],
    )


def test_rooms_asked_for_are_verified_and_no_others() -> None:
    damaged_log()
    one, two = damaged_log(), new_log()
    _, lines = run_json("--room", one.pk, two.pk)
    assert [line["room"] for line in lines[:-1]] == [str(one.pk)]
    assert lines[-1]["summary"]["rooms"] == 2


def test_rooms_of_an_organization_are_verified_and_no_others() -> None:
    damaged_log()
    room = damaged_log(organization=make_organization())
    _, lines = run_json("--organization", room.organization_id)
    assert [line["room"] for line in lines[:-1]] == [str(room.pk)]
    assert lines[-1]["summary"]["rooms"] == 1


@pytest.mark.parametrize("option", ["--room", "--organization"])
def test_unknown_id_is_refused_with_exit_status_2(option: str) -> None:
    damaged_log()
    with pytest.raises(CommandError, match="There is no") as refusal:
        run(option, uuid4())
    assert refusal.value.returncode == 2


def test_room_of_another_organization_is_unknown() -> None:
    room = new_log()
    with pytest.raises(CommandError, match="There is no room"):
        run("--organization", make_organization().pk, "--room", room.pk)


def test_value_that_is_no_id_is_refused() -> None:
    with pytest.raises(CommandError, match="expected an id"):
        run("--room", "everything")


def test_more_rooms_than_a_page_are_all_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_rooms, "_CHUNK", 2)
    rooms = {str(damaged_log().pk) for _ in range(5)}
    _, lines = run_json()
    assert {line["room"] for line in lines[:-1]} == rooms


def test_room_that_goes_meanwhile_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    new_log()
    verify = verify_rooms.verify_room

    def delete_and_verify(room_id: UUID) -> object:
        Room.objects.filter(pk=room_id).delete()
        return verify(room_id)

    monkeypatch.setattr(verify_rooms, "verify_room", delete_and_verify)
    assert run() == (0, "0 rooms, 0 rows, 0 bytes; damaged: 0\n")


def test_terminal_sees_a_bar_that_is_gone_in_the_end() -> None:
    new_log()
    terminal = Terminal()
    run(stderr=terminal)
    assert "█ 100%  1 of 1 rooms" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_elsewhere_progress_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collab.management.progress.LINE_EVERY", 2)
    for _ in range(5):
        make_room()
    err = StringIO()
    run(stderr=err)
    assert err.getvalue() == "2 of 5 rooms\n4 of 5 rooms\n"
