"""A set of clocks as ranges, against a plain set of numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.engine import ranges as ranges_module
from collab.engine.ranges import RangeSet

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)).map(lambda r: (r[0], r[0] + r[1])))


def numbers_of(ranges: RangeSet) -> set[int]:
    return {number for start, end in ranges for number in range(start, end)}


def assert_normal(ranges: RangeSet) -> None:
    """In order, and neither overlapping nor touching."""
    flat = [bound for pair in ranges for bound in pair]
    assert flat == sorted(set(flat))
    assert len(ranges) * 2 == len(flat)


@given(RANGES, st.integers(0, 60), st.integers(1, 12))
def test_range_set_after_any_additions_agrees_with_a_set_of_numbers(
    added: list[tuple[int, int]], start: int, length: int
) -> None:
    ranges, numbers = RangeSet(), set[int]()
    for new in added:
        was_new = ranges.add(*new)
        assert was_new == (not numbers.issuperset(range(*new)))
        numbers.update(range(*new))
        assert_normal(ranges)
    assert numbers_of(ranges) == numbers
    assert ranges.covers(start, start + length) == numbers.issuperset(range(start, start + length))


@pytest.mark.parametrize("many", [1, 512], ids=["merged", "one by one"])
@given(first=RANGES, second=RANGES)
def test_add_all_in_any_order_agrees_with_a_set_of_numbers(
    many: int, first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    ranges, numbers = RangeSet(), set[int]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges_module, "MANY", many)
        for batch in (first, second):
            new = {number for start, end in batch for number in range(start, end)} - numbers
            assert ranges.add_all(batch) == bool(new)
            numbers |= new
            assert_normal(ranges)
    assert numbers_of(ranges) == numbers


@pytest.mark.timeout(20)
def test_add_all_of_many_ranges_in_falling_order_is_not_quadratic() -> None:
    """Added one by one, each would move all that follow: minutes, from one message."""
    ranges = RangeSet()
    ranges.add_all([(4 * clock, 4 * clock + 1) for clock in range(1_000_000, 2_000_000)])
    ranges.add_all([(4 * clock, 4 * clock + 1) for clock in range(200_000, 0, -1)])
    assert len(ranges) == 1_200_000
