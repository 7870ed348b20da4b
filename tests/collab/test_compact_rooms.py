"""`manage.py compact_rooms` and what it does to a room: garbage goes, everything else stays."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from collab import collector
from collab.compaction import Outcome, compact_rooms, rooms_worth_compacting
from collab.engine.errors import CompactionError
from collab.engine.ports import LogPart, NewRow
from collab.management import progress
from collab.models import Checkpoint, Room, StoredUpdate
from collab.sandbox import Sandbox
from collab.store import append_rows, read_log, write_checkpoint
from tests.engine.builders import client, document_of, text, typed, update, values
from tests.factories import make_organization, make_room

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "x" * 10_000
ROWS = [typed(7, LONG), update(client(7, len(LONG), text("y", (7, 0))), deletes={7: [(0, len(LONG))]})]
JOINED = document_of(*ROWS).encode()
COLLECTED = collector.collect(JOINED)
NEWS = typed(8, "meanwhile")
HOSTILE: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "hostile_updates.json").read_text()
)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def sandbox(runner: asyncio.Runner) -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    runner.run(sandbox.close())


class Interfering:
    """A compactor during whose work something else happens."""

    def __init__(self, sandbox: Sandbox, happens: Callable[[], object]) -> None:
        self._sandbox = sandbox
        self._happens = happens

    async def collect(self, update: bytes) -> bytes:
        await asyncio.to_thread(self._in_thread)
        return await self._sandbox.collect(update)

    def _in_thread(self) -> None:
        try:
            self._happens()
        finally:
            connections.close_all()  # the thread ends with its event loop, and says nothing to Django


def append(room: Room, *updates: bytes) -> None:
    append_rows([NewRow(str(room.pk), data) for data in updates])


def new_room(*updates: bytes, **fields: Any) -> Room:
    room = make_room(**fields)
    append(room, *updates)
    return room


def stored(room: Room) -> LogPart | None:
    return read_log(room.pk, 0)


def compact(room: Room, sandbox: Sandbox, runner: asyncio.Runner, **options: bool) -> Outcome:
    [outcome] = compact_rooms([room.pk], sandbox, runner, **options)
    return outcome


def run(*arguments: object, stderr: StringIO | None = None) -> str:
    out = StringIO()
    call_command("compact_rooms", *map(str, arguments), stdout=out, stderr=stderr or StringIO())
    return out.getvalue()


# -- one room


def test_rows_become_a_checkpoint_without_garbage(sandbox: Sandbox, runner: asyncio.Runner) -> None:
    room = new_room(*ROWS)
    before = sum(map(len, ROWS))
    assert compact(room, sandbox, runner) == Outcome(room.pk, before, len(COLLECTED))
    assert stored(room) == LogPart(2, [COLLECTED], 0)
    checkpoint = Checkpoint.objects.get(room=room)
    assert bytes(checkpoint.state_vector) == document_of(COLLECTED).encoded_state_vector()


def test_large_checkpoint_without_rows_is_replaced(sandbox: Sandbox, runner: asyncio.Runner) -> None:
    room = new_room(*ROWS)
    write_checkpoint(room.pk, 2, JOINED, document_of(JOINED).encoded_state_vector())
    assert compact(room, sandbox, runner) == Outcome(room.pk, len(JOINED), len(COLLECTED))
    assert stored(room) == LogPart(2, [COLLECTED], 0)
    append(room, NEWS)
    assert stored(room) == LogPart(3, [COLLECTED, NEWS], 1)


def test_dry_run_tells_the_same_and_writes_nothing(sandbox: Sandbox, runner: asyncio.Runner) -> None:
    room = new_room(*ROWS)
    outcome = compact(room, sandbox, runner, is_dry_run=True)
    assert stored(room) == LogPart(2, ROWS, 2)
    assert compact(room, sandbox, runner) == outcome


def test_rows_that_come_meanwhile_stay(sandbox: Sandbox, runner: asyncio.Runner) -> None:
    room = new_room(*ROWS)
    compact(room, Interfering(sandbox, lambda: append(room, NEWS)), runner)  # type: ignore[arg-type]
    assert stored(room) == LogPart(3, [COLLECTED, NEWS], 1)


def test_later_checkpoint_that_comes_meanwhile_stays(sandbox: Sandbox, runner: asyncio.Runner) -> None:
    room = new_room(*ROWS)
    document = document_of(*ROWS, NEWS)

    def happen() -> None:
        append(room, NEWS)
        write_checkpoint(room.pk, 3, document.encode(), document.encoded_state_vector())

    compact(room, Interfering(sandbox, happen), runner)  # type: ignore[arg-type]
    assert stored(room) == LogPart(3, [document.encode()], 0)


def test_room_that_is_deleted_meanwhile_is_gone(sandbox: Sandbox, runner: asyncio.Runner) -> None:
    room = new_room(*ROWS)
    compact(room, Interfering(sandbox, room.delete), runner)  # type: ignore[arg-type]
    assert not Checkpoint.objects.exists()
    assert list(compact_rooms([uuid4()], sandbox, runner)) == []


def test_room_whose_garbage_can_not_be_collected_keeps_every_byte(
    sandbox: Sandbox, runner: asyncio.Runner
) -> None:
    class Failing:
        async def collect(self, update: bytes) -> bytes:
            raise CompactionError("It was the end of the worker.")

    room = new_room(*ROWS)
    outcome = compact(room, Failing(), runner)  # type: ignore[arg-type]
    assert outcome == Outcome(room.pk, sum(map(len, ROWS)), len(JOINED), "It was the end of the worker.")
    assert stored(room) == LogPart(2, [JOINED], 0)
    again = compact(room, Failing(), runner)  # type: ignore[arg-type]
    assert again == Outcome(room.pk, len(JOINED), len(JOINED), "It was the end of the worker.")


@pytest.mark.parametrize(
    "data",
    [
        *map(bytes.fromhex, HOSTILE["lossy"]["refused"].values()),
        update(client(7, 0, values(b"\x7a" + bytes(8)))),
        update(client(7, 0, values(b"\x7b\x80" + bytes(7)))),
        update(client(7, 0, b"\x09\x01\x01a\x01g\x76\x00")),
    ],
)
def test_room_with_content_that_must_not_be_encoded_again_keeps_every_byte(
    sandbox: Sandbox, runner: asyncio.Runner, data: bytes
) -> None:
    room = new_room(data, *(typed(9, LONG, clock * 10_000) for clock in range(2)))
    joined = document_of(*StoredUpdate.objects.values_list("data", flat=True)).encode()
    outcome = compact(room, sandbox, runner)
    assert outcome.kept_because == "It holds content that must not be encoded again."
    assert stored(room) == LogPart(3, [joined], 0)


def test_hostile_rooms_keep_every_byte_and_the_next_room_is_compacted(
    sandbox: Sandbox, runner: asyncio.Runner
) -> None:
    sequences = [[bytes.fromhex(data) for data in item["sequence"]] for item in HOSTILE["gated"]]
    rooms = [new_room(*sequence) for sequence in sequences]
    last = new_room(*ROWS)
    list(compact_rooms([*(room.pk for room in rooms), last.pk], sandbox, runner))
    for room, sequence in zip(rooms, sequences, strict=True):
        part = stored(room)
        assert part is not None
        assert document_of(*part.updates).encode() == document_of(*sequence).encode()
    assert stored(last) == LogPart(2, [COLLECTED], 0)


def test_room_that_can_not_be_read_is_left_as_it_is(sandbox: Sandbox, runner: asyncio.Runner) -> None:
    damaged, holed = new_room(b"\xff"), new_room(*ROWS)
    StoredUpdate.objects.filter(room=holed, seq=1).delete()
    for room in (damaged, holed):
        reason = compact(room, sandbox, runner).kept_because
        assert reason is not None
        assert reason.startswith("It can't be read: ")
    assert StoredUpdate.objects.count() == 2
    assert not Checkpoint.objects.exists()


# -- which rooms


def test_rooms_worth_it_have_rows_or_a_large_checkpoint() -> None:
    with_rows, large, small, empty = new_room(NEWS), new_room(*ROWS), new_room(NEWS), make_room()
    for room, seq in ((large, 2), (small, 1)):
        part = stored(room)
        assert part is not None
        document = document_of(*part.updates)
        write_checkpoint(room.pk, seq, document.encode(), document.encoded_state_vector())
    assert set(rooms_worth_compacting()) == {with_rows.pk, large.pk}
    assert rooms_worth_compacting(room_ids=[large.pk, small.pk, empty.pk]) == [large.pk]


def test_rooms_of_one_organization_are_its_own() -> None:
    organization = make_organization()
    own, _ = new_room(NEWS, organization=organization), new_room(NEWS)
    assert rooms_worth_compacting(organization.pk) == [own.pk]


# -- the command


def test_command_compacts_the_rooms_asked_for_and_prints_a_summary() -> None:
    organization = make_organization()
    room, other = new_room(*ROWS, organization=organization), new_room(NEWS)
    odd = new_room(update(client(7, 0, values(b"\x7a" + bytes(8)))), organization=organization)
    printed = run("--organization", organization.pk, "--room", room.pk, odd.pk, other.pk)
    assert printed.startswith("2 rooms, ")
    assert "Garbage was not collected in 1:\n       1  It holds content that must not be" in printed
    assert stored(room) == LogPart(2, [COLLECTED], 0)
    assert stored(other) == LogPart(1, [NEWS], 1)


def test_command_that_only_tries_says_so() -> None:
    room = new_room(*ROWS)
    printed = run("--dry-run")
    assert printed == f"1 rooms, {sum(map(len, ROWS))} → {len(COLLECTED)} bytes; nothing was written\n"
    assert stored(room) == LogPart(2, ROWS, 2)


def test_command_draws_a_bar_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 2)
    for _ in range(2):
        new_room(NEWS)
    terminal, lines = Terminal(), StringIO()
    run("--dry-run", stderr=terminal)
    run("--dry-run", stderr=lines)
    assert "100%  2 of 2 rooms" in terminal.getvalue()
    assert lines.getvalue() == "2 of 2 rooms\n"


def test_command_with_more_words_tells_of_each_room() -> None:
    room = new_room(*ROWS)
    assert f"{room.pk}  {sum(map(len, ROWS))} → {len(COLLECTED)} bytes\n" in run("--verbosity", 2)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl+C as a terminal has it; who runs the tests in the background of a shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_command_that_is_interrupted_tells_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = sorted(new_room(*ROWS).pk for _ in range(3))
    collect = Sandbox.collect
    asked: list[bytes] = []

    async def interrupted(self: Sandbox, update: bytes) -> bytes:
        asked.append(update)
        if len(asked) == 2:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(10)
        return await collect(self, update)

    monkeypatch.setattr(Sandbox, "collect", interrupted)
    printed = run()
    assert printed.startswith("Interrupted; 2 rooms were left as they are.\n1 rooms, ")
    assert read_log(rooms[0], 0) == LogPart(2, [COLLECTED], 0)
    assert read_log(rooms[1], 0) == LogPart(2, ROWS, 2)


def test_command_with_what_is_no_id_is_refused() -> None:
    with pytest.raises(CommandError, match="expected an id"):
        run("--room", "the-room")
