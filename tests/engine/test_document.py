"""A document as bytes: what it holds after updates came in any order, cut and overlapping."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.engine import document as document_module
from collab.engine import sections as sections_module
from collab.engine import structs as structs_module
from collab.engine.document import EMPTY_UPDATE, Document, join_encoded_updates, join_updates
from collab.engine.gate import parse_state_vector, parse_update
from tests.engine import update_gate_oracle as oracle
from tests.engine.builders import (
    client,
    document_of,
    gc,
    skip,
    text,
    typed,
    update,
    values,
    var_bytes,
    var_uint,
)
from tests.engine.yjs import Reading, Session, read_documents


@pytest.fixture
def structs_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The positions of all structs that the document reads."""
    positions: list[int] = []
    read = sections_module.read_struct

    def count(data: bytes, pos: int) -> Iterator[None]:
        positions.append(pos)
        return read(data, pos)

    monkeypatch.setattr(sections_module, "read_struct", count)
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


# -- against real Yjs


def assert_equal_readings(found: list[Reading], right: list[Reading]) -> None:
    for number, (one, other) in enumerate(zip(found, right, strict=True)):
        assert not one.pending, number
        assert one.content == other.content, number
        assert one.snapshot == other.snapshot, number


def orders_of(session: Session, random: Random) -> Iterator[list[bytes]]:
    """The updates of a session as a network may bring them; each time all of them arrive."""
    updates = session.all_updates
    yield updates
    yield updates[::-1]
    shuffled = random.sample(updates, len(updates))
    yield shuffled
    yield random.sample([*updates, *updates, *session.extras], 2 * len(updates) + len(session.extras))
    yield [*session.extras, *shuffled]
    batches = []
    while shuffled:
        size = random.randint(1, 7)
        batches.append(document_of(*shuffled[:size]).encode())
        shuffled = shuffled[size:]
    yield random.sample(batches, len(batches))


def test_encode_after_updates_in_any_order_is_right_in_yjs(sessions: list[Session]) -> None:
    random = Random(7)
    cases = [
        ([document_of(*order).encode()], session.right)
        for session in sessions
        for order in orders_of(session, random)
    ]
    assert_equal_readings(read_documents(case for case, _ in cases), [right for _, right in cases])


def test_encode_half_way_and_the_rest_one_by_one_is_right_in_yjs(sessions: list[Session]) -> None:
    """A newcomer gets what there is, then what comes: with gaps where updates came out of order."""
    random = Random(8)
    cases = []
    for session in sessions:
        updates = random.sample(session.all_updates, len(session.all_updates))
        half = len(updates) // 2
        cases.append([document_of(*updates[:half]).encode(), *updates[half:]])
    assert_equal_readings(read_documents(cases), [session.right for session in sessions])


def test_difference_for_any_state_of_a_client_makes_it_right_in_yjs(sessions: list[Session]) -> None:
    """The client has some of the updates, in an order that Yjs can take in; the server has all."""
    random = Random(9)
    cases, right = [], []
    for session in sessions:
        document = document_of(*random.sample(session.all_updates, len(session.all_updates)))
        for _ in range(3):
            known = session.all_updates[: random.randint(0, len(session.all_updates))]
            vector = document_of(*known).state_vector()
            cases.append([*known, document.difference(vector)])
            right.append(session.right)
    assert_equal_readings(read_documents(cases), right)


def test_difference_cut_at_any_clock_is_right_in_yjs(sessions: list[Session]) -> None:
    """The other side has each client up to a clock of its own, which may be inside any struct."""
    random = Random(10)
    cases, right = [], []
    for session in sessions:
        document = document_of(*session.all_updates)
        if "\ufffd" in session.right.content:
            continue  # a pair that was cut in two somewhere else too
        known = {number: random.randint(0, end) for number, end in document.state_vector().items()}
        rest = document.difference(known)
        cases.append([rest, document.encode()])
        right.append(session.right)
    found = read_documents(cases)
    for one, other in zip(found, right, strict=True):
        assert not one.pending
        assert one.snapshot == other.snapshot


def test_difference_for_another_state_vector_brings_all_that_is_missing(sessions: list[Session]) -> None:
    for session in sessions:
        document = document_of(*session.all_updates)
        for data in session.vectors:
            vector = parse_state_vector(data)
            difference = parse_update(document.difference(vector))
            for number, end in document.state_vector().items():
                start = vector.get(number, 0)
                if start >= end:
                    assert number not in difference.runs
                else:
                    runs = difference.runs[number]
                    assert (runs[0].start, runs[-1].end) == (start, end)


def test_document_after_updates_in_any_order_is_the_same(sessions: list[Session]) -> None:
    """Commutative and idempotent as to clocks and deletions; the state vector is that of Yjs."""
    random = Random(11)
    for session in sessions[::4]:
        expected = document_of(*session.all_updates)
        everything = document_of(*session.all_updates, *session.extras)
        for order in orders_of(session, random):
            document = document_of(*order)
            assert document.state_vector() == expected.state_vector()
            others = everything if set(session.extras) <= set(order) else expected
            assert document.encoded_deletes() == others.encoded_deletes()
            before = document.encode()
            news = [document.take_in(parse_update(data)) for data in order]
            assert not any(news)
            assert document.encode() == before


def test_contains_agrees_with_what_take_in_finds_new(sessions: list[Session]) -> None:
    random = Random(12)
    for session in sessions[::3]:
        document = Document()
        updates = [*session.all_updates, *session.extras]
        for data in random.sample([*updates, *updates], 2 * len(updates)):
            parsed = parse_update(data)
            is_contained = document.contains(parsed)
            before = document.encode()
            assert document.take_in(parsed) == (not is_contained)
            assert document.contains(parsed)
            assert (document.encode() == before) == is_contained


def test_encode_passes_the_gate_at_every_step(sessions: list[Session]) -> None:
    random = Random(13)
    for session in sessions[::6]:
        document = Document()
        for data in random.sample(session.all_updates, len(session.all_updates)):
            document.take_in(parse_update(data))
            oracle.check_update(document.encode())
            assert document_of(document.encode()).encode() == document.encode()
            assert parse_state_vector(document.encoded_state_vector()) == document.state_vector()


def test_cases_where_a_crdt_library_diverges_are_right_in_yjs(divergence: dict[str, Any]) -> None:
    right_orders = [[bytes.fromhex(u) for u in case["updates"]] for case in divergence["cases"]]
    right = read_documents(right_orders)
    assert_equal_readings(read_documents([document_of(*order).encode()] for order in right_orders), right)
    assert_equal_readings(
        read_documents([document_of(*order[::-1]).encode()] for order in right_orders), right
    )


def test_updates_of_one_client_out_of_clock_order_are_not_lost(divergence: dict[str, Any]) -> None:
    order = divergence["order"]
    document = document_of(*[bytes.fromhex(data) for data in order["updates"]])
    assert {str(k): v for k, v in document.state_vector().items()} == order["right"]["state vector"]


# -- gaps


def test_gap_becomes_a_skip() -> None:
    document = document_of(update(client(7, 0, gc(2))), update(client(7, 5, gc())))
    assert document.encode() == update(client(7, 0, gc(2), skip(3), gc()))
    assert document.state_vector() == {7: 2}


def test_gap_at_the_start_leaves_the_client_out_of_the_state_vector() -> None:
    document = document_of(update(client(7, 5, gc())))
    assert document.state_vector() == {}
    assert document.encode() == update(client(7, 5, gc()))
    assert document.difference({}) == document.encode()


def test_gap_that_is_filled_leaves_no_skip() -> None:
    document = document_of(typed(7, "ef", 4), typed(7, "ab"), typed(7, "cd", 2))
    assert document.encode() == document_of(typed(7, "ab"), typed(7, "cd", 2), typed(7, "ef", 4)).encode()
    assert document.state_vector() == {7: 6}


def test_difference_behind_a_gap_still_gives_what_is_there() -> None:
    document = document_of(update(client(7, 0, gc(2))), update(client(7, 5, gc())))
    assert document.difference({7: 2}) == update(client(7, 5, gc()))


def test_contains_of_an_update_that_only_deletes_looks_at_the_deletions() -> None:
    document = document_of(typed(7, "abc"), update(deletes={7: [(0, 1)]}))
    assert document.contains(parse_update(update(deletes={7: [(0, 1)]})))
    assert not document.contains(parse_update(update(deletes={7: [(0, 2)]})))
    assert not document.contains(parse_update(update(deletes={8: [(0, 1)]})))


def test_empty_update_is_contained_in_an_empty_document() -> None:
    document = Document()
    assert document.contains(parse_update(EMPTY_UPDATE))
    assert not document.take_in(parse_update(EMPTY_UPDATE))
    assert document.is_empty
    assert document.encode() == EMPTY_UPDATE


@given(st.data())
def test_document_after_any_ranges_knows_exactly_their_clocks(data: st.DataObject) -> None:
    """Against plain sets: structs and gaps in any number, in one update and in many."""
    document, clocks = Document(), set[int]()
    pieces = st.tuples(st.booleans(), st.integers(1, 4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document_module, "MANY", data.draw(st.sampled_from((1, 512))))
        for start, found in data.draw(
            st.lists(st.tuples(st.integers(0, 30), st.lists(pieces, min_size=1, max_size=6)), max_size=12)
        ):
            clock, new = start, set[int]()
            for is_gap, length in found:
                new |= set() if is_gap else set(range(clock, clock + length))
                clock += length
            sent = client(7, start, *[skip(n) if is_gap else gc(n) for is_gap, n in found])
            assert document.contains(parse_update(update(sent))) == (new <= clocks)
            assert document.take_in(parse_update(update(sent))) == (not new <= clocks)
            clocks |= new
            runs = parse_update(document.encode()).runs.get(7, [])
            assert {clock for run in runs for clock in range(run.start, run.end)} == clocks
            known = data.draw(st.integers(0, 40))
            after = parse_update(document.difference({7: known})).runs.get(7, [])
            assert {clock for run in after for clock in range(run.start, run.end)} == {
                clock for clock in clocks if clock >= known
            }
            fresh = document_of(document.encode())
            assert (fresh.size_bytes, fresh.encode()) == (document.size_bytes, document.encode())


# -- cutting


@pytest.mark.parametrize("clock", range(1, 6))
def test_difference_inside_a_text_is_cut_as_yjs_cuts_it(clock: int) -> None:
    """Half of a surrogate pair becomes U+FFFD."""
    rest = {1: "b😀c漢", 2: "😀c漢", 3: "\ufffdc漢", 4: "c漢", 5: "漢"}[clock]
    document = document_of(typed(7, "ab😀c漢"))
    assert document.difference({7: clock}) == update(client(7, clock, text(rest, (7, clock - 1))))


def test_difference_inside_values_gives_the_later_ones() -> None:
    one, two, three = b"\x7d\x01", b"\x75\x02\x7f\x7e", b"\x77\x01a"
    document = document_of(update(client(7, 0, values(one, two, three))))
    cut = b"\x88\x07\x00" + b"\x02" + two + three
    assert document.difference({7: 1}) == update(client(7, 1, cut))


def test_difference_inside_json_gives_the_later_ones() -> None:
    document = document_of(update(client(7, 0, b"\x02\x01\x01t\x03\x011\x02[]\x012")))
    assert document.difference({7: 2}) == update(client(7, 2, b"\x82\x07\x01\x01\x012"))


LONG_VALUES = [
    [b"\x77\x05" + f"{number:05}".encode() for number in range(30_000)],
    [b"\x75\x03\x7f\x7e\x77\x05" + f"{number:05}".encode() for number in range(21_000)],
    [b"\x7f"] * 3_000 + [b"\x75\xa0\x8d\x06" + b"\x7e" * 100_000] + [b"\x78"] * 30_000,
]
LONG_CUTS = [1, 2_047, 2_048, 3_000, 3_001, 3_002, 9_999, 19_999]


def long_struct(kind: str, contents: list[bytes]) -> bytes:
    if kind == "any":
        return values(*contents)
    return b"\x02\x01\x01a" + var_uint(len(contents)) + b"".join(var_bytes(text) for text in contents)


def rest_of(kind: str, contents: list[bytes], clock: int) -> bytes:
    """The struct from `clock` on, as Yjs writes it."""
    struct = long_struct(kind, contents[clock:])
    return bytes((struct[0] & 31 | 0x80,)) + b"\x07" + var_uint(clock - 1) + struct[4:]


@pytest.mark.parametrize(
    ("kind", "contents"),
    [*(("any", contents) for contents in LONG_VALUES), *(("json", texts) for texts in LONG_VALUES[:2])],
)
@pytest.mark.parametrize("clock", LONG_CUTS)
def test_long_values_that_are_partly_known_are_cut_where_that_ends(
    kind: str, contents: list[bytes], clock: int
) -> None:
    whole = update(client(7, 0, long_struct(kind, contents)))
    rest = rest_of(kind, contents, clock)
    assert document_of(update(client(7, 0, gc(clock))), whole).encode() == update(
        client(7, 0, gc(clock), rest)
    )


@pytest.mark.parametrize("contents", LONG_VALUES)
def test_long_values_that_are_known_are_cut_where_an_earlier_struct_ends_again_and_again(
    contents: list[bytes],
) -> None:
    late = update(client(7, 1, values(*contents)))
    for clock in LONG_CUTS:
        document = document_of(late)
        document.take_in(parse_update(update(client(7, 0, gc(clock)))))  # cuts the known one, …
        difference = document.difference({7: clock})
        again = document_of(update(client(7, 0, gc(clock + 700))))
        again.take_in(parse_update(difference))  # … and this what was left of it
        rest = rest_of("any", [b"", *contents], clock + 700)
        assert again.encode() == update(client(7, 0, gc(clock + 700), rest))


def test_cut_of_long_values_reads_few_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    long = parse_update(update(client(7, 0, values(*[b"\x7f"] * 400_000))))
    late = parse_update(update(client(7, 1, values(*[b"\x7f"] * 400_000))))
    bytes_read = []
    read_byte = structs_module._byte

    def count(data: bytes, pos: int) -> int:
        bytes_read.append(pos)
        return read_byte(data, pos)

    monkeypatch.setattr(structs_module, "_byte", count)
    document_of(update(client(7, 0, gc(300_000)))).take_in(long)
    document = Document()
    document.take_in(late)
    document.take_in(parse_update(update(client(7, 0, gc(300_000)))))
    document.take_in(parse_update(update(client(7, 0, gc(350_000)))))
    assert 0 < len(bytes_read) < 20_000


def test_difference_inside_deleted_content_gives_the_rest() -> None:
    document = document_of(update(client(7, 0, b"\x01\x01\x01t\x05", gc(4))))
    assert document.difference({7: 2}) == update(client(7, 2, b"\x81\x07\x01\x03", gc(4)))
    assert document.difference({7: 6}) == update(client(7, 6, gc(3)))


def test_difference_inside_a_struct_with_a_right_origin_keeps_it() -> None:
    struct = b"\xc4\x01\x02\x03\x04" + b"\x03abc"
    document = document_of(update(client(7, 0, struct)))
    assert document.difference({7: 1}) == update(client(7, 1, b"\xc4\x07\x00\x03\x04\x02bc"))


def test_cut_text_is_what_yjs_itself_writes(sessions: list[Session]) -> None:
    """What a client wrote as a difference and what the document cuts are the same bytes of content."""
    long = "word 漢 é 😀 " * 40
    document = document_of(typed(7, long))
    cases = [[document.difference({7: clock}), typed(7, long)] for clock in range(1, 200, 7)]
    for reading in read_documents(cases):
        assert not reading.pending


# -- long runs


@pytest.fixture(scope="module")
def long_documents() -> dict[str, Document]:
    """4,000 structs of one client, taken in one by one, at once, in overlapping parts, and with long ones."""
    structs = [text(f"{n % 10}x", (7, 2 * n - 1) if n else None) for n in range(4000)]
    whole = update(client(7, 0, *structs))
    parts = Document()
    for start in range(0, 4000, 100):
        parts.take_in(parse_update(update(client(7, 2 * start, *structs[start : start + 150]))))
    backwards = Document()
    for start in range(3900, -1, -100):
        backwards.take_in(parse_update(update(client(7, 2 * start, *structs[start : start + 100]))))
    return {
        "at once": document_of(whole),
        "one by one": document_of(*[update(client(7, 2 * n, one)) for n, one in enumerate(structs)]),
        "overlapping": parts,
        "backwards": backwards,
    }


@pytest.mark.parametrize("how", ["at once", "one by one", "overlapping", "backwards"])
def test_difference_at_every_clock_of_a_long_run_begins_there(
    long_documents: dict[str, Document], how: str
) -> None:
    document = long_documents[how]
    whole = long_documents["at once"].encode()
    assert document.encode() == whole
    parsed_end = document.state_vector()[7]
    assert parsed_end == 8000
    for clock in (*range(1, 8000, 37), *range(1020, 1030), *range(1, 4), *range(7990, 8000)):
        difference = document.difference({7: clock})
        runs = parse_update(difference).runs[7]
        assert (runs[0].start, runs[-1].end) == (clock, 8000)
        assert sum(run.count for run in runs) == (8001 - clock) // 2


def test_difference_between_long_structs_begins_in_the_right_one() -> None:
    """Structs longer than a run may be: cut if they are text that starts there, left whole inside."""
    pieces = ["a" * 20_000, "b", "c" * 20_000, "d", "e"]
    clocks = [0, 20_000, 20_001, 40_001, 40_002, 40_003]
    structs = [
        text(piece, (7, clock - 1) if clock else None) for piece, clock in zip(pieces, clocks, strict=False)
    ]
    for document in (
        document_of(update(client(7, 0, *structs))),
        document_of(*[update(client(7, clock, one)) for clock, one in zip(clocks, structs, strict=False)]),
    ):
        for place, clock in enumerate(clocks[:-1]):
            rest = update(client(7, clock, *structs[place:]))
            assert document.difference({7: clock} if clock else {}) == rest
        for known in (1, 19_999, 20_002, 40_000):
            runs = parse_update(document.difference({7: known})).runs[7]
            assert runs[0].start <= known
            assert runs[-1].end == 40_003


def test_difference_after_many_others_is_still_right() -> None:
    """Differences are kept for a while, until something new comes."""
    document = document_of(update(client(7, 0, *[gc()] * 100)))
    first = document.difference({7: 50})
    for clock in range(1, 30):
        document.difference({7: clock})
    assert document.difference({7: 50}) == first
    document.take_in(parse_update(update(client(7, 100, gc()))))
    assert parse_update(document.difference({7: 50})).runs[7][-1].end == 101


def test_difference_for_clients_that_the_document_does_not_know_is_all_of_it() -> None:
    document = document_of(typed(7, "abc"))
    assert document.difference({8: 5, 7: 0}) == document.encode()


def test_join_updates_says_what_all_say() -> None:
    updates = [typed(7, "ab"), typed(8, "x"), typed(7, "cd", 2)]
    joined = join_encoded_updates(updates)
    assert joined == document_of(*updates).encode()
    assert join_updates([]) == EMPTY_UPDATE


def test_deletions_are_encoded_once_for_any_number_of_differences() -> None:
    """A state vector of a few bytes must not cost a walk over all that was ever deleted."""
    document = document_of(
        update(client(7, 0, *[gc()] * 10)), update(deletes={7: [(2 * clock, 1) for clock in range(1000)]})
    )
    encoded = document.encoded_deletes()
    document.difference({7: 3})
    document.take_in(parse_update(update(client(7, 10, gc()))))
    assert document.encoded_deletes() is encoded
    document.take_in(parse_update(update(deletes={7: [(1, 1)]})))
    assert document.encoded_deletes() != encoded
    assert document.difference({7: 3}).endswith(document.encoded_deletes())
