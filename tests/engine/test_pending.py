"""Which updates become one row of the log, and what the rows say together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collab.engine import joined, pending
from collab.engine.gate import parse_update
from collab.engine.limits import Limits
from collab.engine.pending import Pending
from collab.engine.room import LiveRoom
from tests.engine.builders import document_of, typed, update
from tests.engine.scripted import FakeClock, NoReplication

ADA, BOB = UUID(int=1), UUID(int=2)
Written = tuple[UUID | None, bytes]


@pytest.fixture
def room(clock: FakeClock) -> LiveRoom:
    return LiveRoom("room", NoReplication(), lambda message: None, Limits(), clock)


async def rows_of(room: LiveRoom, *written: Written) -> list[Written]:
    batch = Pending()
    for author_id, data in written:
        batch.add(room, parse_update(data), author_id)
    assert batch.updates == len(written)
    return [(row.author_id, row.data) for row in await batch.encode()]


def says(rows: list[Written]) -> bytes:
    return document_of(*(data for _, data in rows)).encode()


async def test_what_authors_write_with_clients_of_their_own_is_a_row_for_each(room: LiveRoom) -> None:
    tabs = [(ADA, typed(7, "a")), (BOB, typed(9, "b")), (ADA, typed(8, "c")), (ADA, typed(7, "d", 1))]
    assert await rows_of(room, *tabs) == [
        (ADA, document_of(tabs[0][1], tabs[2][1], tabs[3][1]).encode()),
        (BOB, tabs[1][1]),
    ]


async def test_what_two_wrote_for_one_clock_stays_in_its_order(room: LiveRoom) -> None:
    """Else a newcomer would be told, from the log, something else than who was there."""
    first, second = typed(7, "first"), typed(7, "the other")
    written = [(BOB, typed(9, "b")), (ADA, first), (BOB, second), (ADA, typed(7, "more", 9))]
    rows = await rows_of(room, *written)
    assert rows == written
    assert says(rows) == says(written)


async def test_nothing_is_put_before_an_update_that_is_not_joined(
    room: LiveRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined, "MAX_JOINED_PARTS", 3)
    monkeypatch.setattr(pending, "MAX_JOINED_PARTS", 3)
    long = update(deletes={7: [(clock, 1) for clock in range(0, 8, 2)]})
    written = [(ADA, typed(7, "a")), (BOB, long), (ADA, typed(7, "b", 1)), (ADA, typed(7, "c", 2))]
    assert await rows_of(room, *written) == [
        *written[:2],
        (ADA, document_of(written[2][1], written[3][1]).encode()),
    ]


@dataclass
class Typed:
    """Letters of a client, some of them for clocks that it has used before."""

    author_id: UUID | None
    client: int
    letters: str
    again: int


TYPED = st.builds(
    Typed,
    st.sampled_from([ADA, BOB, None]),
    st.integers(1, 3),
    st.text("xyz", min_size=1, max_size=4),
    st.integers(0, 5),
)


def written_by(steps: list[Typed]) -> list[Written]:
    """Updates of which none comes before what it follows."""
    ends: dict[int, int] = {}
    written = []
    for step in steps:
        end = ends.get(step.client, 0)
        clock = max(0, end - step.again)
        ends[step.client] = max(end, clock + len(step.letters))
        written.append((step.author_id, typed(step.client, step.letters, clock)))
    return written


@given(steps=st.lists(TYPED, max_size=20), parts=st.integers(1, 6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_say_what_was_written_whoever_wrote_for_a_clock(
    room: LiveRoom, steps: list[Typed], parts: int
) -> None:
    written = written_by(steps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joined, "MAX_JOINED_PARTS", parts)
        patch.setattr(pending, "MAX_JOINED_PARTS", parts)
        rows = asyncio.run(rows_of(room, *written))
    assert says(rows) == says(written)
    assert {author for author, _ in rows} == {author for author, _ in written}
