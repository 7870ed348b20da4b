"""The collector against real Yjs: what is left says the same, to newcomers and to those who come back."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from collab import collector
from collab.collector import CollectionError
from collab.engine.compaction import Snapshot, check_collectable, collect
from collab.engine.document import Document
from collab.engine.errors import CompactionError
from collab.engine.gate import parse_state_vector, parse_update
from collab.engine.pairs import cuts_a_pair
from collab.engine.values import with_values_of
from tests.engine.builders import client, document_of, text, typed, update, values, var_bytes, var_uint
from tests.engine.yjs import Session, generate_sessions, read_documents, write_offline
from tests.support.missing import skipping_what_is_missing

HOSTILE: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "hostile_updates.json").read_text()
)


class InProcess:
    """A compactor without a sandbox, for documents that are known to be harmless."""

    async def collect(self, update: bytes) -> bytes:
        try:
            return collector.collect(update)
        except CollectionError as error:
            raise CompactionError(str(error)) from error


@pytest.fixture(scope="module")
def plain_sessions() -> list[Session]:
    """Random sessions without content that must not be encoded again."""
    with skipping_what_is_missing():
        return generate_sessions(seed=random.randrange(2**31), sessions=250, edits=40, is_plain=True)


def overwritten(times: int) -> bytes:
    """A key of the map `m`, set so many times."""
    first = b"\x28\x01\x01m\x01k\x01\x7d\x00"
    others = (b"\xa8\x07" + var_uint(clock - 1) + b"\x01\x7d\x01" for clock in range(1, times))
    return update(client(7, 0, first, *others), deletes={7: [(0, times - 1)]})


def typing_trace(edits: int) -> bytes:
    """Someone types one letter after the other, and takes back three of ten."""
    letters = [text("x")] + [text("x", (7, clock - 1)) for clock in range(1, edits)]
    return update(client(7, 0, *letters), deletes={7: [(clock, 3) for clock in range(7, edits, 10)]})


def test_collect_of_a_key_that_was_overwritten_leaves_a_few_dozen_bytes() -> None:
    raw = document_of(overwritten(5_000)).encode()
    assert len(raw) > 30_000
    assert len(collector.collect(raw)) < 50


def test_collect_of_a_typing_trace_shrinks_it_a_lot() -> None:
    raw = document_of(typing_trace(30_000)).encode()
    collected = collector.collect(raw)
    assert len(collected) < len(raw) / 3
    assert document_of(collected).contains(parse_update(raw))


def test_collect_of_text_typed_at_the_end_joins_its_letters() -> None:
    raw = document_of(*(typed(7, "x", clock) for clock in range(10_000))).encode()
    assert len(collector.collect(raw)) < 10_050


def test_collect_of_a_character_that_was_cut_in_two_is_refused() -> None:
    raw = update(client(7, 0, text("\N{GRINNING FACE}")), deletes={7: [(1, 1)]})
    with pytest.raises(CollectionError, match="cut in two"):
        collector.collect(raw)


async def checked(raw: Document) -> Document | None:
    """The collected document; none where there is a good reason not to."""
    if cuts_a_pair(raw.encode()):
        return None
    try:
        return await collect(Snapshot.of(raw), InProcess())
    except CompactionError as error:
        if "no garbage" in str(error):
            return None
        raise


async def test_collected_documents_are_equal_in_yjs_for_newcomers(plain_sessions: list[Session]) -> None:
    raws = [document_of(*session.all_updates) for session in plain_sessions]
    pairs = [(raw, collected) for raw in raws if (collected := await checked(raw))]
    assert len(pairs) > len(raws) / 10
    raw_readings = read_documents([raw.encode()] for raw, _ in pairs)
    assert read_documents([collected.encode()] for _, collected in pairs) == raw_readings


async def test_collected_documents_are_equal_in_yjs_for_those_who_come_back_with_edits(
    plain_sessions: list[Session],
) -> None:
    choice = random.Random(7)
    expected, found = [], []
    known = [session.all_updates[: choice.randrange(len(session.updates) + 1)] for session in plain_sessions]
    edits = write_offline(enumerate(known))
    for session, before, (vector, offline) in zip(plain_sessions, known, edits, strict=True):
        raw = document_of(*session.all_updates)
        collected = await checked(raw)
        if collected is None:
            continue
        answer = collected.difference(parse_state_vector(vector))
        collected.take_in(parse_update(offline))
        expected += [[raw.encode(), offline]] * 3
        found += [[collected.encode()], [*before, offline, answer], [*before, collected.encode(), offline]]
    contents = [(reading.content, reading.pending) for reading in read_documents(expected)]
    assert [(reading.content, reading.pending) for reading in read_documents(found)] == contents


def test_collect_leaves_values_as_they_were_written() -> None:
    """pycrdt gives the keys of an object in another order each time."""
    keys = b"".join(b"\x01" + bytes((letter,)) + b"\x7d\x01" for letter in b"zyxwvutsrqponm")
    value, embed = b"\x76\x0e" + keys, b'{"z":1,"y":2,"x":3,"w":4,"v":5,"u":6}'
    raw = update(
        client(
            7,
            0,
            values(value, b"\x7d\x00", value),
            b"\x05\x01\x01t" + var_bytes(embed),
            b"\xc6\x07\x03\x07\x03\x01k" + var_bytes(embed),
        ),
        deletes={7: [(1, 1)]},
    )
    collected = collector.collect(raw)
    assert collected.count(value) == 2
    assert collected.count(embed) == 2
    assert b"\x7d\x00" not in collected


def test_value_that_was_not_there_before_is_refused() -> None:
    raw, other = update(client(7, 0, values(b"\x7d\x00"))), update(client(7, 0, text("x")))
    with pytest.raises(KeyError):
        with_values_of(other, raw)
    with pytest.raises(KeyError):
        with_values_of(update(client(7, 0, b"\x05\x01\x01t\x02{}")), raw)


@pytest.mark.parametrize(
    "update_hex",
    [
        *HOSTILE["lossy"]["refused"].values(),
        update(client(7, 0, values(b"\x7a" + bytes(8)))).hex(),  # BigInt
        update(client(7, 0, values(b"\x7b\x80" + bytes(7)))).hex(),  # -0
        update(client(7, 0, b"\x09\x01\x01a\x01g\x76\x00")).hex(),  # a subdocument
    ],
)
def test_document_that_must_not_be_encoded_again_is_not_collectable(update_hex: str) -> None:
    with pytest.raises(CompactionError, match="must not be encoded again"):
        check_collectable(document_of(bytes.fromhex(update_hex)))


def test_document_with_a_gap_is_not_collectable() -> None:
    with pytest.raises(CompactionError, match="missing"):
        check_collectable(document_of(typed(7, "late", 5)))
    check_collectable(document_of(typed(7, "first"), typed(7, "late", 5)))
