"""A long state vector says what the clocks are, whatever changes while it is written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collab.engine.entries import GROUPS, STEPS, Entries
from collab.engine.gate import parse_state_vector
from collab.engine.structs import finish

CHANGES = st.lists(st.tuples(st.integers(1, 4 * GROUPS), st.integers(1, 300)))


@given(CHANGES, CHANGES)
def test_state_vector_is_that_of_the_clocks_also_of_what_changes_meanwhile(
    first: list[tuple[int, int]], later: list[tuple[int, int]]
) -> None:
    clocks = dict.fromkeys(range(1, 2 * STEPS), 1) | dict(first)
    entries = Entries(clocks)
    for _ in entries.write():
        if later:
            client, clock = later.pop()
            clocks[client] = clock
            entries.changed({client})
    assert parse_state_vector(entries.state_vector()) == clocks
    clocks[7] = 10_000
    entries.changed({7})
    finish(entries.write())
    assert parse_state_vector(entries.state_vector()) == clocks
