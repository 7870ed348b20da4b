"""Surrogate pairs: what begins or ends between the halves of one character is found."""

from __future__ import annotations

import pytest

from collab.engine.pairs import cuts_a_pair
from tests.engine.builders import client, skip, text, update

#: Clocks: a 0, the pair 1 and 2, b 3, the pair 4 and 5, c 6.
EMOJI = text("a\N{GRINNING FACE}b\N{ROCKET}c")
RIGHT = b"\x44"  # an item with a right origin alone


@pytest.mark.parametrize(
    ("data", "is_cut"),
    [
        (update(client(7, 0, EMOJI)), False),
        (update(client(7, 0, EMOJI), deletes={7: [(1, 2)]}), False),
        (update(client(7, 0, EMOJI), deletes={7: [(2, 1)]}), True),
        (update(client(7, 0, EMOJI), deletes={7: [(0, 2)]}), True),
        (update(client(7, 0, EMOJI), deletes={7: [(3, 2)]}), True),
        (update(client(7, 0, EMOJI), deletes={8: [(2, 1)]}), False),
        (update(client(8, 0, text("x", (7, 1))), client(7, 0, EMOJI)), True),
        (update(client(8, 0, text("x", (7, 2))), client(7, 0, EMOJI)), False),
        (update(client(8, 0, text("x", (7, 4))), client(7, 0, EMOJI)), True),
        (update(client(8, 0, RIGHT + b"\x07\x02\x01x"), client(7, 0, EMOJI)), True),
        (update(client(8, 0, RIGHT + b"\x07\x03\x01x"), client(7, 0, EMOJI)), False),
        (update(client(8, 0, text("x", (7, 8))), client(7, 7, EMOJI)), True),
        (update(client(7, 3, skip(2), EMOJI), deletes={7: [(7, 1)]}), True),
        (update(client(7, 0, text("é漢字"), text("x", (7, 1))), deletes={7: [(1, 1)]}), False),
    ],
)
def test_cut_between_the_halves_of_a_pair_is_found(data: bytes, is_cut: bool) -> None:
    assert cuts_a_pair(data) is is_cut
