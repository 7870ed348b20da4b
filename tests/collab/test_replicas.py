"""Documents that follow a room are fed, read, and never trusted with what is stored or sent."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pycrdt
import pytest

from collab.engine.gate import parse_update
from collab.engine.limits import Limits
from collab.engine.peers import PeerReplication
from collab.engine.room import LiveRoom
from collab.replicas import Replica, open_replica, replica_of, y_py

CASES = json.loads((Path(__file__).parent.parent / "fixtures" / "y_py_divergence.json").read_text())["cases"]
WITH_Y_PY = pytest.mark.skipif(y_py is None, reason="y-py has no wheels for this Python")


def a_room() -> LiveRoom:
    replication = PeerReplication(lambda message: None, reaches_others=False)
    return LiveRoom("a room", replication, lambda message: None, Limits(), time.monotonic)


@pytest.fixture
def room() -> Iterator[LiveRoom]:
    """A room that lets its document go on the thread that made it, as y-py demands."""
    room = a_room()
    yield room
    room.end()
    gc.collect()


async def test_replica_follows_what_the_room_takes_in(room: LiveRoom) -> None:
    replica = replica_of(room)
    writer: pycrdt.Doc[Any] = pycrdt.Doc()
    writer["body"] = pycrdt.Text("followed")
    room.take_in(parse_update(writer.get_update()))
    text = replica.doc.get_text("body") if hasattr(replica.doc, "get_text") else replica.doc["body"]
    assert str(text) == "followed"


async def test_replica_of_a_room_is_made_once(room: LiveRoom) -> None:
    assert replica_of(room) is replica_of(room)


async def test_replica_of_a_room_with_content_does_not_seed_it(room: LiveRoom) -> None:
    writer: pycrdt.Doc[Any] = pycrdt.Doc()
    writer["body"] = pycrdt.Text("first")
    room.take_in(parse_update(writer.get_update()))
    before = room.document.encode()

    async def make_ydoc() -> Any:
        doc: pycrdt.Doc[Any] = pycrdt.Doc()
        doc["body"] = pycrdt.Text("second")
        return doc

    await open_replica(room, make_ydoc)
    assert room.document.encode() == before


async def test_room_that_ends_lets_its_replica_go(room: LiveRoom) -> None:
    replica = replica_of(room)
    room.end()
    assert replica not in room.followers


async def test_document_that_panics_leaves_the_room_as_it_was(
    room: LiveRoom, caplog: pytest.LogCaptureFixture
) -> None:
    class Panicking:
        """Stands for a library whose panic is not an Exception."""

        def __call__(self, doc: Any, update: bytes) -> None:
            raise BaseException("panic")  # noqa: TRY002 - what pyo3 raises

    replica = Replica(pycrdt.Doc(), room.name)
    replica.apply_to_document = Panicking()
    room.followers.append(replica)
    writer: pycrdt.Doc[Any] = pycrdt.Doc()
    writer["body"] = pycrdt.Text("kept")
    room.take_in(parse_update(writer.get_update()))
    room.take_in(parse_update(writer.get_update()))
    assert caplog.text.count("no longer follows") == 1
    assert room.document.contains(parse_update(writer.get_update()))


@WITH_Y_PY
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
async def test_updates_that_y_py_gets_wrong_stay_right_in_the_room(
    room: LiveRoom, case: dict[str, Any]
) -> None:
    plain = a_room()
    room.followers.append(Replica(y_py.YDoc(), room.name))
    for update in case["updates"]:
        room.take_in(parse_update(bytes.fromhex(update)))
        plain.take_in(parse_update(bytes.fromhex(update)))
    assert room.document.encode() == plain.document.encode()
