"""A document as bytes: what it holds after updates came in any order, cut and overlapping."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collab.engine import document as document_module
from collab.engine.document import Document
from collab.engine.gate import parse_update
from tests.engine.builders import client, document_of, gc, skip, update, values


@pytest.fixture
def structs_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The positions of all structs that the document reads."""
    positions: list[int] = []
    read = document_module.read_struct

    def count(data: bytes, pos: int) -> Iterator[None]:
        positions.append(pos)
        return read(data, pos)

    monkeypatch.setattr(document_module, "read_struct", count)
    return positions


def test_difference_in_a_long_run_reads_few_structs(structs_read: list[int]) -> None:
    document = document_of(update(client(7, 0, *[gc()] * 100_000)))
    document.difference({7: 99_990})
    assert 0 < len(structs_read) <= 1024


def test_difference_after_the_head_of_a_long_run_was_replaced_reads_few_structs(
    structs_read: list[int],
) -> None:
    document = document_of(update(client(7, 5, *[gc()] * 100_000)), update(client(7, 0, gc(6))))
    document.difference({7: 99_990})
    assert 0 < len(structs_read) <= 2048


def test_difference_inside_a_struct_that_is_long_to_cut_gives_it_whole(structs_read: list[int]) -> None:
    """A state vector of five bytes must not cost a walk over megabytes."""
    long = values(*[b"\x7f"] * 100_000)
    document = document_of(update(client(7, 0, gc(), long, gc())))
    difference = parse_update(document.difference({7: 50_000}))
    assert structs_read == []
    assert difference.first_clocks == {7: 1}


def test_difference_behind_long_structs_reads_none_of_them(structs_read: list[int]) -> None:
    long = values(*[b"\x7f"] * 20_000)
    document = document_of(update(client(7, 0, *[long] * 10, *[gc()] * 10)))
    difference = parse_update(document.difference({7: 200_005}))
    assert difference.first_clocks == {7: 200_005}
    assert len(structs_read) <= 10


@pytest.mark.timeout(20)
def test_take_in_of_many_runs_between_many_others_is_not_quadratic() -> None:
    count = 200_000
    odd = update(client(7, 1, *[gc(), skip(1)] * (count - 1), gc()))
    even = update(client(7, 0, *[gc(), skip(1)] * (count - 1), gc()))
    document = document_of(odd, even)
    assert document.state_vector() == {7: 2 * count}


def test_size_of_a_document_counts_what_gaps_and_deleted_ranges_cost_in_memory() -> None:
    gaps, deletes = Document(), Document()
    gaps.take_in(parse_update(update(client(7, 1, *[gc(), skip(1)] * 999, gc()))))
    deletes.take_in(parse_update(update(deletes={7: [(2 * clock, 1) for clock in range(1000)]})))
    assert gaps.size_bytes > 200_000
    assert deletes.size_bytes > 50_000


def test_size_of_a_document_whose_gaps_were_filled_is_that_of_one_without_gaps() -> None:
    odd = update(client(7, 1, *[gc(), skip(1)] * 99, gc()))
    even = update(client(7, 0, *[gc(), skip(1)] * 99, gc()))
    whole = update(client(7, 0, *[gc()] * 200))
    assert document_of(odd, even).size_bytes == document_of(whole).size_bytes
    assert document_of(odd, even).encode() == document_of(whole).encode()
