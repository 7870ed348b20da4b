"""Surrogate pairs that an update cuts in two.

Clocks count UTF-16 units, so that a place may lie between the two halves of one character: an editor
that puts one emoji in the place of another may replace the second half alone. Yjs then shows U+FFFD
for each half. pycrdt (0.14) loses or moves content there, without a word, so what holds such a cut
must not be encoded again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from collab.engine.encoding import read_var_uint
from collab.engine.gate import parse_update
from collab.engine.structs import HAS_ORIGIN, HAS_RIGHT_ORIGIN, STRING, finish, read_position, read_struct

#: (client, clock) of what begins at a place.
Place = tuple[int, int]

#: A character beyond U+FFFF in UTF-8, which takes two clocks.
_PAIR = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")


def cuts_a_pair(update: bytes) -> bool:
    """Whether a struct or a deletion of the update begins or ends inside a surrogate pair of it.

    Raises:
        MalformedError: it does not pass the gate.
    """
    if _PAIR.search(update) is None:
        return False
    parsed = parse_update(update)
    cuts: set[Place] = set()
    middles: set[Place] = set()
    for client, ranges in parsed.deletes.items():
        cuts.update((client, clock) for places in ranges for clock in places)
    for client, runs in parsed.runs.items():
        for run in runs:
            pos, clock = 0, run.start
            cuts.add((client, clock))
            while pos < len(run.data):
                cuts.update(_cuts(run.data, pos))
                middles.update((client, clock + offset) for offset in _middles(run.data, pos))
                clocks, pos, _ = finish(read_struct(run.data, pos))
                clock += clocks
    return not cuts.isdisjoint(middles)


def _cuts(data: bytes, pos: int) -> Iterator[Place]:
    """The places that the struct at `pos` stands between."""
    info = data[pos]
    pos += 1
    if info & HAS_ORIGIN:
        client, pos = read_var_uint(data, pos)
        clock, pos = read_var_uint(data, pos)
        yield client, clock + 1
    if info & HAS_RIGHT_ORIGIN:
        client, pos = read_var_uint(data, pos)
        clock, pos = read_var_uint(data, pos)
        yield client, clock


def _middles(data: bytes, pos: int) -> Iterator[int]:
    """Where in the struct at `pos` the second half of a pair begins, in clocks from its first."""
    if data[pos] & 31 != STRING:
        return
    length, pos = read_var_uint(data, read_position(data, pos))
    text = data[pos : pos + length]
    if _PAIR.search(text) is None:
        return
    offset = 0
    for character in text.decode():
        offset += 1
        if character > "\uffff":
            yield offset
            offset += 1
