"""Long bytes that lie in many places are what they would be in one."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.engine import pieces as pieces_module
from collab.engine.pieces import LongBytes, Piece, join_in_slices, laid_together

PIECES = st.lists(st.binary(max_size=12).flatmap(lambda data: st.tuples(st.just(data), st.integers(0, 12))))


def pieces_of(drawn: list[tuple[bytes, int]]) -> tuple[list[Piece], bytes]:
    pieces = [Piece(bytearray(data), min(start, len(data)), len(data)) for data, start in drawn]
    return pieces, b"".join(data[start:] for data, start in drawn)


@given(PIECES, st.integers(0, 60), st.integers(0, 60), st.binary(max_size=3))
def test_slices_and_length_are_those_of_the_bytes(
    drawn: list[tuple[bytes, int]], start: int, stop: int, head: bytes
) -> None:
    pieces, right = pieces_of(drawn)
    long = LongBytes(pieces)
    assert (len(long), bytes(long), long[start:stop]) == (len(right), right, right[start:stop])
    assert bytes(long.behind(head)) == head + right


@given(PIECES)
def test_laid_together_says_the_same(drawn: list[tuple[bytes, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces_module, "MIN_PIECE_BYTES", 5)
        pieces, right = pieces_of(drawn)
        assert bytes(LongBytes(laid_together(pieces))) == right


def test_piece_stays_what_it_is_while_more_is_laid_behind_it() -> None:
    data = bytearray(b"what was")
    long = LongBytes([Piece.all_of(data)])
    data += b" and what came"
    assert bytes(long) == b"what was"


async def test_join_in_slices_lets_others_run_and_gives_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces_module, "CHUNK_BYTES", 10)
    long = LongBytes([Piece.all_of(bytes(range(200))), Piece.all_of(bytes(55))])
    joining = asyncio.create_task(join_in_slices(long))
    for _ in range(20):
        await asyncio.sleep(0)
        assert not joining.done()
    assert await joining == bytes(range(200)) + bytes(55)
