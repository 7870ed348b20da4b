"""What every client has to be able to do: cases, each for one kind of client or for a pair of kinds.

The cases of one installation run at the same time, on rooms of their own, so they measure nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.e2e.compatibility import pairs, single
from tests.e2e.compatibility.stage import H2, H3, H4, HOCUSPOCUS, KINDS, Y1, Y2, Y3, Kind

Run = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """A case with its kinds of clients."""

    run: Run
    kinds: tuple[Kind, ...]

    def __str__(self) -> str:
        return "-".join([self.run.__name__, *map(str, self.kinds)])


PAIRS = list(itertools.product(KINDS, KINDS))
RING = (Y1, H2, Y2, H3, Y3, H4)

CASES = [
    *(Case(pairs.newcomer_finds_everything, pair) for pair in PAIRS),
    *(Case(pairs.edits_go_both_ways, pair) for pair in itertools.combinations_with_replacement(KINDS, 2)),
    *(Case(pairs.presence_is_seen_changed_and_gone, pair) for pair in PAIRS),
    *(Case(pairs.edits_made_offline_are_merged, pair) for pair in PAIRS),
    *(
        Case(pairs.stateless_reaches_hocuspocus_alone, pair)
        for pair in itertools.product(HOCUSPOCUS, HOCUSPOCUS)
    ),
    *(Case(pairs.large_document_arrives, pair) for pair in zip(RING, (*RING[1:], RING[0]), strict=True)),
    *(
        Case(run, (kind,))
        for run in (
            single.viewer_reads_and_is_told,
            single.editor_is_lowered_while_open,
            single.viewer_is_raised_while_open,
            single.revoked_client_is_closed,
            single.room_without_access_is_refused,
            single.bad_token_is_refused_and_a_good_one_let_in,
            single.expired_token_ends_it_and_a_fresh_one_goes_on,
            single.what_is_said_to_be_saved_is_in_the_database,
        )
        for kind in KINDS
    ),
    *(
        Case(run, (kind,))
        for run in (single.many_rooms_share_a_socket, single.one_of_two_rooms_is_revoked)
        for kind in HOCUSPOCUS
    ),
]
