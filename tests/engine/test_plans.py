"""A long update is worked out beside the document, where nobody sees it, and taken in at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.engine import document as document_module
from collab.engine import plans as plans_module
from collab.engine import ranges as ranges_module
from collab.engine import readings as readings_module
from collab.engine import sections as sections_module
from collab.engine.document import Document
from collab.engine.errors import UpdateRefusedError
from collab.engine.gate import CLIENT_STRUCTS, parse_state_vector, parse_update
from collab.engine.limits import Limits
from collab.engine.protocol import create_update_message
from collab.engine.reception import receive
from collab.engine.room import LiveRoom
from tests.engine.builders import client, document_of, gc, skip, update
from tests.engine.scripted import Client, FakeClock, NoReplication

LENGTHS = st.lists(st.integers(1, 4), min_size=1, max_size=5)
DELETES = st.dictionaries(
    st.integers(1, 3), st.lists(st.tuples(st.integers(0, 20), st.integers(1, 4)), max_size=5)
)


@st.composite
def updates(draw: st.DrawFn) -> bytes:
    """Structs and gaps of up to three clients, and deletions."""
    clients = []
    for number in draw(st.sets(st.integers(1, 3))):
        lengths = draw(LENGTHS)
        structs = [skip(n) if i % 2 else gc(n) for i, n in enumerate(lengths)]
        clients.append(client(number, draw(st.integers(0, 20)), *structs))
    return update(*clients, deletes=draw(DELETES))


@pytest.fixture(scope="module", autouse=True)
def _short_slices() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plans_module, "STEPS", 1)
        patch.setattr(sections_module, "STEPS", 1)
        patch.setattr(ranges_module, "STEPS", 2)
        patch.setattr(plans_module, "MAX_RUN_BYTES", 8)  # so that some sections are too long to copy
        yield


FEW = st.lists(updates(), max_size=4)


@given(FEW, updates(), FEW, st.lists(st.integers(0, 6), max_size=6))
def test_take_in_by_a_plan_while_others_write_is_as_without_one(
    before: list[bytes], planned: bytes, others: list[bytes], pauses: list[int]
) -> None:
    document, right = document_of(*before), document_of(*before)
    parsed, waiting = parse_update(planned), list(others)
    with document.planning(parsed) as plan:
        for pause in [*pauses, None]:
            walk = plan.work()
            for _ in walk:
                if pause == 0 and waiting:
                    other = parse_update(waiting.pop())
                    document.take_in(other)
                    right.take_in(other)
                    assert document.encode() == right.encode()  # nothing of the plan is seen
            if pause and waiting:
                other = parse_update(waiting.pop())
                assert document.take_in(other) == right.take_in(other)
        is_new = document.contains(parsed, plan), document.take_in(parsed, plan)
    assert is_new == (right.contains(parsed), right.take_in(parsed))
    assert document.encode() == right.encode()
    assert document.size_bytes == right.size_bytes
    assert document.state_vector() == right.state_vector()


def test_take_in_by_a_plan_of_another_document_takes_everything_in() -> None:
    parsed = parse_update(update(client(1, 0, gc())))
    with document_of(update(client(1, 0, gc()))).planning(parsed) as plan:
        for _ in plan.work():
            pass
        document = Document()
        assert document.take_in(parsed, plan)
    assert document.state_vector() == {1: 1}


LONG = update(*[client(number, 0, gc()) for number in range(1, 2_000)])


async def test_receive_of_a_long_update_that_is_cancelled_leaves_nothing(clock: FakeClock) -> None:
    room = LiveRoom("r", NoReplication(), lambda message: None, Limits(), clock)
    editor = Client(clock)
    room.join(editor.connection)
    receiving = asyncio.create_task(receive(room, editor.connection, create_update_message(LONG)))
    for _ in range(100):
        await asyncio.sleep(0)
        assert room.document.is_empty
    receiving.cancel()
    with suppress(asyncio.CancelledError):
        await receiving
    assert room.document.is_empty
    await receive(room, editor.connection, create_update_message(LONG))
    assert len(room.document.state_vector()) == 1_999
    await editor.end()


@pytest.mark.parametrize(
    "data",
    [update(*[client(n, 0, gc()) for n in range(11)]), update(deletes={n: [(0, 1)] for n in range(11)})],
    ids=["structs", "deletions"],
)
def test_parse_update_of_more_clients_than_allowed_is_refused(data: bytes) -> None:
    assert parse_update(data, 11 * CLIENT_STRUCTS)
    with pytest.raises(UpdateRefusedError, match="clients"):
        parse_update(data, 10 * CLIENT_STRUCTS)


@given(FEW, FEW, st.dictionaries(st.integers(1, 3), st.integers(0, 30)), st.booleans())
def test_difference_read_in_slices_while_others_write_is_what_the_document_is_then(
    before: list[bytes], others: list[bytes], known: dict[int, int], is_first: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readings_module, "STEPS", 1)
        document = document_of(*before)
        if is_first:
            document.encoded_deletes()
        with document.reading(known) as reading:
            for _ in reading.work():
                if others:
                    document.take_in(parse_update(others.pop()))
            found = document.read(reading, known)
        right = document_of(document.encode())
        assert bytes(found) == right.difference(known)
        assert document.encode() == right.encode()


@given(st.lists(updates(), min_size=1, max_size=4))
def test_question_after_any_updates_is_the_state_vector(written: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document_module, "MANY", 1)
        document = Document()
        for data in written:
            document.take_in(parse_update(data))
            assert parse_state_vector(document.question()) == document.state_vector()
