"""Short updates that go on as one."""

from __future__ import annotations

import pytest

from collab.engine import joined
from collab.engine.gate import parse_update
from collab.engine.joined import JoinedUpdate
from tests.engine.builders import client, document_of, text, typed, update

HELLO, THERE = typed(7, "hello"), typed(7, "there", 5)
#: A client may send its structs before those of a client with a higher number; a document writes them after.
OUT_OF_ORDER = update(client(7, 0, text("a")), client(8, 0, text("b")))


def joined_of(*updates: bytes) -> JoinedUpdate:
    first, *others = map(parse_update, updates)
    one = JoinedUpdate(first)
    for other in others:
        assert one.add(other)
    return one


def test_lone_update_keeps_its_bytes() -> None:
    assert document_of(OUT_OF_ORDER).encode() != OUT_OF_ORDER
    assert JoinedUpdate(parse_update(OUT_OF_ORDER)).encode() == OUT_OF_ORDER


def test_joined_update_says_what_all_say() -> None:
    deletion = update(deletes={7: [(2, 1)]})
    updates = (THERE, HELLO, typed(9, "x", 4), deletion)
    assert joined_of(*updates).encode() == document_of(*updates).encode()


def test_joined_update_knows_where_each_client_begins() -> None:
    one = joined_of(THERE)
    assert (one.client_count, one.first_clocks) == (1, {7: 5})
    one = joined_of(THERE, typed(9, "x", 4), HELLO, update(deletes={3: [(0, 1)]}))
    assert (one.client_count, one.first_clocks) == (2, {7: 0, 9: 4})


@pytest.mark.parametrize(("name", "limit"), [("MAX_JOINED_PARTS", 2), ("MAX_JOINED_BYTES", 2 * len(HELLO))])
def test_what_would_get_too_long_is_not_joined(
    name: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined, name, limit)
    one = joined_of(HELLO, typed(7, "x", 5))
    assert not one.add(parse_update(typed(9, "not in it")))
    assert one.encode() == document_of(HELLO, typed(7, "x", 5)).encode()
    assert one.first_clocks == {7: 0}
