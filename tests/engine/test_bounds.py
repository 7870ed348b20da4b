"""What a hostile client can make the engine do: bounded by counting the work, not by timing it."""

from __future__ import annotations

import asyncio

import pytest

from collab.engine.errors import LimitError
from collab.engine.gate import SHORT_BYTES, parse_state_vector, parse_update_in_slices
from tests.engine.builders import client, gc, state_vector, update, values


async def pauses_of(walk: asyncio.Task[object]) -> int:
    """How often the walk let the event loop go on."""
    pauses = 0
    while not walk.done():
        await asyncio.sleep(0)
        pauses += 1
    await walk
    return pauses


UNDEFINED = b"\x7f"
LONG_UPDATES = {
    "structs just below a slice": update(client(7, 0, *[values(*[UNDEFINED] * 2040)] * 200)),
    "clients with one long struct each": update(
        *[client(number, 0, values(*[UNDEFINED] * 2040)) for number in range(200)]
    ),
    "short structs": update(client(7, 0, *[gc()] * 200_000)),
    "one struct of many values": update(client(7, 0, values(*[UNDEFINED] * 400_000))),
    "clients that delete nothing": update(deletes={number: [] for number in range(100_000)}),
    "deleted ranges": update(deletes={7: [(2 * clock, 1) for clock in range(100_000)]}),
    "clients that delete little": update(deletes={number: [(0, 1)] for number in range(50_000)}),
    "clients without structs": update(*[client(number, 0) for number in range(100_000)]),
}


@pytest.mark.parametrize("data", LONG_UPDATES.values(), ids=LONG_UPDATES)
async def test_parse_update_in_slices_of_a_long_update_pauses_every_few_thousand_bytes(data: bytes) -> None:
    pauses = await pauses_of(asyncio.create_task(parse_update_in_slices(data)))
    assert pauses >= len(data) / (2 * SHORT_BYTES)


def test_parse_state_vector_with_more_clients_than_allowed_is_refused() -> None:
    data = state_vector(dict.fromkeys(range(11), 1))
    assert len(parse_state_vector(data, max_clients=11)) == 11
    with pytest.raises(LimitError):
        parse_state_vector(data, max_clients=10)
