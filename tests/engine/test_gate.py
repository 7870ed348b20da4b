"""The gate: what it accepts and refuses, against an oracle, and what it says about what it accepts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from collab.engine.document import Document
from collab.engine.errors import MalformedError, UpdateRefusedError
from collab.engine.gate import ParsedUpdate, parse_state_vector, parse_update, parse_update_in_slices
from tests.engine import update_gate_oracle as oracle
from tests.engine.builders import client, delete_set, gc, skip, state_vector, text, update, values, var_uint
from tests.engine.yjs import Session

MANY = hypothesis_settings(max_examples=400)


def is_accepted(check: Callable[[bytes], object], data: bytes) -> bool:
    try:
        check(data)
    except (MalformedError, oracle.BadError):
        return False
    return True


def assert_agrees(data: bytes) -> None:
    accepted = is_accepted(parse_update, data)
    assert accepted == is_accepted(oracle.check_update, data)
    accepted_vector = is_accepted(parse_state_vector, data)
    assert accepted_vector == is_accepted(oracle.check_state_vector, data)


@pytest.fixture(scope="module")
def corpus(sessions: list[Session]) -> list[bytes]:
    """Real updates of every kind, each once, short ones first."""
    found = {data for session in sessions for data in (*session.all_updates, *session.extras)}
    return sorted(found, key=lambda data: (len(data), data))


@pytest.fixture(scope="module")
def vectors(sessions: list[Session]) -> list[bytes]:
    return sorted({vector for session in sessions for vector in session.vectors})


def test_gate_accepts_every_update_of_real_clients(corpus: list[bytes]) -> None:
    assert len(corpus) > 1000
    assert [data for data in corpus if not is_accepted(parse_update, data)] == []


def test_gate_accepts_every_state_vector_of_real_clients(vectors: list[bytes]) -> None:
    assert len(vectors) > 100
    assert [data for data in vectors if not is_accepted(parse_state_vector, data)] == []


@st.composite
def mutations(draw: st.DrawFn, data: bytes, other: bytes) -> bytes:
    """The bytes with a few of them changed, cut off, put in, or replaced by a part of others."""
    out = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(out)))
        match draw(st.sampled_from(("flip", "cut", "splice", "count", "byte", "drop"))):
            case "flip" if out:
                out[min(place, len(out) - 1)] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del out[place:]
            case "splice":
                start = draw(st.integers(0, len(other)))
                out[place:place] = other[start : start + draw(st.integers(1, 20))]
            case "count":
                out[place:place] = var_uint(
                    draw(st.sampled_from((0, 1, 2, 127, 128, 2**31 - 1, 2**53, 2**62)))
                )
            case "byte" if out:
                out[min(place, len(out) - 1)] = draw(st.integers(0, 255))
            case "drop":
                del out[place : place + draw(st.integers(1, 4))]
    return bytes(out)


@MANY
@given(st.data())
def test_gate_on_mutated_real_updates_agrees_with_the_oracle(
    corpus: list[bytes], data: st.DataObject
) -> None:
    chosen = data.draw(st.sampled_from(corpus))
    assert_agrees(data.draw(mutations(chosen, data.draw(st.sampled_from(corpus)))))


@MANY
@given(st.data())
def test_gate_on_mutated_state_vectors_agrees_with_the_oracle(
    vectors: list[bytes], data: st.DataObject
) -> None:
    chosen = data.draw(st.sampled_from(vectors))
    assert_agrees(data.draw(mutations(chosen, data.draw(st.sampled_from(vectors)))))


@MANY
@given(st.binary(max_size=200))
@example(b"")
@example(b"\x00")
@example(b"\x80\x00\x00")
def test_gate_on_random_bytes_agrees_with_the_oracle(data: bytes) -> None:
    assert_agrees(data)


IDS = st.tuples(st.sampled_from((0, 1, 127, 2**53 - 1, 2**53)), st.sampled_from((0, 5, 2**31 - 1, 2**31)))
TEXTS = st.one_of(
    st.text(max_size=5).map(str.encode), st.sampled_from((b"", b"\xff\xfe", b"\xed\xa0\x80", b"[" * 101))
)


@st.composite
def structs(draw: st.DrawFn) -> bytes:
    """A struct that is nearly right: each part is one that the rules are about."""

    def text_part() -> bytes:
        content = draw(TEXTS)
        return var_uint(len(content)) + content

    def value_part() -> bytes:
        depth = draw(st.sampled_from((0, 1, 99, 100, 101)))
        tag = draw(
            st.sampled_from((b"\x7f", b"\x7d\x41", b"\x77\x01a", b"\x7a" + bytes(8), b"\x7e", b"\x73"))
        )
        return b"\x75\x01" * depth + tag

    info = draw(st.sampled_from((*range(12), 31, 0x84, 0x44, 0xC4, 0x24, 0x88, 0xA7, 0x80, 0x8A)))
    out = bytes((info,))
    for bit in (0x80, 0x40):
        if info & bit and info & 31 not in (0, 10):
            number, clock = draw(IDS)
            out += var_uint(number) + var_uint(clock)
    if not info & 0xC0 and info & 31 not in (0, 10):
        out += draw(st.sampled_from((b"\x01\x01t", b"\x00\x01\x02", b"\x02")))
        if info & 0x20:
            out += text_part()
    match info & 31:
        case 0 | 1 | 10:
            out += var_uint(draw(st.sampled_from((0, 1, 5, 2**31 - 1))))
        case 2:
            out += b"\x01" + text_part()
        case 3 | 4 | 5:
            out += text_part()
        case 6:
            out += text_part() + text_part()
        case 7:
            out += bytes((draw(st.integers(0, 7)),)) + text_part()
        case 8:
            count = draw(st.integers(0, 2))
            out += var_uint(count) + b"".join(value_part() for _ in range(count))
        case 9:
            out += text_part() + value_part()
    return out


@MANY
@given(
    st.lists(
        st.tuples(
            st.sampled_from((1, 2, 2**53 - 1)), st.sampled_from((0, 7, 2**31 - 3)), st.lists(structs())
        ),
        max_size=3,
    ),
    st.dictionaries(
        st.sampled_from((1, 2, 2**53)),
        st.lists(st.tuples(st.sampled_from((0, 5, 2**31 - 1)), st.integers(0, 3)), max_size=3),
    ),
)
def test_gate_on_nearly_right_updates_agrees_with_the_oracle(
    clients: list[tuple[int, int, list[bytes]]], deletes: dict[int, list[tuple[int, int]]]
) -> None:
    assert_agrees(
        update(*[client(number, clock, *found) for number, clock, found in clients], deletes=deletes)
    )


async def test_parse_update_in_slices_gives_what_parse_update_gives(corpus: list[bytes]) -> None:
    for data in corpus[::7]:
        assert await parse_update_in_slices(data) == parse_update(data)


def clocks_of(parsed: ParsedUpdate, number: int) -> list[tuple[int, int]]:
    return [(run.start, run.end) for run in parsed.runs[number]]


def test_parse_update_with_skips_gives_the_runs_between_them() -> None:
    parsed = parse_update(update(client(7, 3, gc(2), skip(5), gc(), gc(), skip(1), gc(4))))
    assert clocks_of(parsed, 7) == [(3, 5), (10, 12), (13, 17)]
    assert parsed.first_clocks == {7: 3}


def test_parse_update_that_begins_with_a_skip_gives_the_first_clock_behind_it() -> None:
    parsed = parse_update(update(client(7, 0, skip(4), gc())))
    assert parsed.first_clocks == {7: 4}


def test_parse_update_of_a_text_counts_utf16_units() -> None:
    parsed = parse_update(update(client(7, 0, text("aé漢😀"))))
    assert clocks_of(parsed, 7) == [(0, 5)]


def test_parse_update_gives_deleted_ranges() -> None:
    parsed = parse_update(b"\x00" + delete_set({7: [(3, 2), (9, 1)], 1: [(0, 1)]}))
    assert parsed.deletes == {7: [(3, 5), (9, 10)], 1: [(0, 1)]}


def test_parse_update_of_real_updates_loses_no_byte_of_their_structs(corpus: list[bytes]) -> None:
    """The clients' runs laid end to end, with what stands before them, are the update."""
    for data in corpus[::5]:
        parsed = parse_update(data)
        if all(len(runs) == 1 for runs in parsed.runs.values()):
            rebuilt = var_uint(len(parsed.runs)) + b"".join(
                var_uint(run.count) + var_uint(number) + var_uint(run.start) + run.data
                for number, (run,) in parsed.runs.items()
            )
            deletes = {n: [(a, b - a) for a, b in ranges] for n, ranges in parsed.deletes.items()}
            assert rebuilt + delete_set(deletes) == data


@pytest.mark.parametrize(
    "data",
    [
        update(client(7, 0, *[gc()] * 11)),
        update(deletes={7: [(clock * 2, 1) for clock in range(11)]}),
        update(client(7, 0, gc()), deletes={7: [(2 * clock, 1) for clock in range(10)]}),
    ],
    ids=["structs", "deleted ranges", "both"],
)
def test_parse_update_with_more_parts_than_allowed_is_refused(data: bytes) -> None:
    assert parse_update(data, max_structs=11).parts == 11
    with pytest.raises(UpdateRefusedError):
        parse_update(data, max_structs=10)


def hostile_bytes(item: dict[str, Any]) -> bytes:
    if "hex" in item:
        return bytes.fromhex(item["hex"])
    parts = [part.partition(" * ") for part in item["parts"]]
    return b"".join(bytes.fromhex(part) * int(times or 1) for part, _, times in parts)


def test_gate_refuses_every_raw_hostile_update(hostile: dict[str, Any]) -> None:
    assert hostile["raw"]
    for item in hostile["raw"]:
        data = hostile_bytes(item)
        assert not is_accepted(parse_update, data), item
        assert not is_accepted(parse_state_vector, data), item


def test_gated_hostile_sequences_go_through_a_document_unharmed(hostile: dict[str, Any]) -> None:
    for item in hostile["gated"]:
        document = Document()
        parsed = [parse_update(bytes.fromhex(data)) for data in item["sequence"]]
        for one in parsed:
            document.take_in(one)
        again = Document()
        again.take_in(parse_update(document.encode()))
        assert all(document.contains(one) for one in parsed), item
        assert again.encode() == document.encode()
        oracle.check_update(document.encode())


LOSSY = {
    "BigInt": values(b"\x7a" + bytes(8)),
    "BigInt in a map": values(b"\x76\x01\x01k\x7a" + bytes(8)),
    "-0 as an integer": values(b"\x7d\x40"),
    "-0 as a float": values(b"\x7b\x80" + bytes(7)),
    "-0 as a short float": values(b"\x7c\x80" + bytes(3)),
    "subdocument": b"\x09\x01\x01a\x01g\x76\x00",
    "XmlHook": b"\x07\x01\x01t\x05\x03div",
    "JSON": b"\x02\x01\x01t\x01\x011",
}


@pytest.mark.parametrize("struct", LOSSY.values(), ids=LOSSY)
def test_update_that_a_library_would_change_is_flagged_and_its_bytes_are_kept(struct: bytes) -> None:
    document = Document()
    parsed = parse_update(update(client(7, 0, gc(), struct)))
    document.take_in(parsed)
    assert not parsed.is_reencodable
    assert not document.is_reencodable
    assert document.encode() == parsed.data


def test_refused_lossy_updates_of_the_fixtures_are_flagged(hostile: dict[str, Any]) -> None:
    for kind, data in hostile["lossy"]["refused"].items():
        assert not parse_update(bytes.fromhex(data)).is_reencodable, kind


@pytest.mark.parametrize(
    "struct",
    [
        values(b"\x7d\x00"),
        values(b"\x7b" + bytes(8)),
        values(b"\x7d\x41"),
        text("a"),
        b"\x07\x01\x01t\x03\x01p",
    ],
    ids=["0", "0.0", "-1", "text", "XML element"],
)
def test_update_that_a_library_gives_back_as_it_is_is_not_flagged(struct: bytes) -> None:
    assert parse_update(update(client(7, 0, struct))).is_reencodable


def test_parse_state_vector_gives_the_clock_of_each_client() -> None:
    assert parse_state_vector(state_vector({7: 3, 2**53 - 1: 2**31 - 1})) == {7: 3, 2**53 - 1: 2**31 - 1}
