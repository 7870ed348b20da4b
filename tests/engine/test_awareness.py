"""Presence: who may say what about whom, and what every client can read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.engine.awareness import (
    MAX_CLOCK,
    MAX_STATES,
    OUTDATED_S,
    Awareness,
    AwarenessEntry,
    Owner,
    decode_awareness,
    encode_awareness,
)
from collab.engine.errors import LimitError, MalformedError
from collab.engine.states import NULL
from tests.engine.builders import var_bytes, var_uint
from tests.engine.scripted import FakeClock

ANNA_HERE, ANNA_THERE = Owner("c1", "anna"), Owner("c2", "anna")
BEN = Owner("c3", "ben")
ANYONE, ANYONE_ELSE = Owner("c4"), Owner("c5")
MAX_CLIENTS = 3


def entry(client: int, clock: int, state: bytes = b"{}") -> AwarenessEntry:
    return AwarenessEntry(client, clock, state)


@pytest.fixture
def awareness(clock: FakeClock) -> Awareness:
    return Awareness(clock)


def say(awareness: Awareness, owner: Owner, *entries: AwarenessEntry) -> list[AwarenessEntry]:
    return awareness.apply(entries, owner, MAX_CLIENTS)


def test_state_of_a_new_client_is_taken_in(awareness: Awareness) -> None:
    assert say(awareness, ANNA_HERE, entry(1, 0)) == [entry(1, 0)]
    assert awareness.entries() == [entry(1, 0)]
    assert awareness.clients_of("c1") == {1}


@pytest.mark.parametrize(("said", "is_taken"), [(4, False), (5, False), (6, True)])
def test_state_of_the_owner_is_taken_in_when_its_clock_is_higher(
    awareness: Awareness, said: int, is_taken: bool
) -> None:
    say(awareness, ANNA_HERE, entry(1, 5))
    assert bool(say(awareness, ANNA_HERE, entry(1, said, b'{"a":1}'))) == is_taken


def test_removal_by_the_owner_is_taken_in_at_the_same_clock_once(awareness: Awareness) -> None:
    say(awareness, ANNA_HERE, entry(1, 5))
    assert say(awareness, ANNA_HERE, entry(1, 5, NULL)) == [entry(1, 5, NULL)]
    assert say(awareness, ANNA_HERE, entry(1, 5, NULL)) == []
    assert awareness.entries() == []


@pytest.mark.parametrize("state", [b'{"name":"Anna?"}', NULL], ids=["state", "removal"])
@pytest.mark.parametrize("said", [4, 5, 6, 99])
def test_what_another_user_says_about_a_client_is_passed_over(
    awareness: Awareness, said: int, state: bytes
) -> None:
    say(awareness, ANNA_HERE, entry(1, 5))
    assert say(awareness, BEN, entry(1, said, state)) == []
    assert awareness.entries() == [entry(1, 5)]
    assert awareness.clients_of("c3") == set()


def test_newer_state_on_another_connection_of_the_same_user_takes_the_client_over(
    awareness: Awareness,
) -> None:
    say(awareness, ANNA_HERE, entry(1, 5))
    assert say(awareness, ANNA_THERE, entry(1, 6)) == [entry(1, 6)]
    assert awareness.clients_of("c1") == set()
    assert awareness.remove_connection("c1") == []
    assert awareness.entries() == [entry(1, 6)]


def test_same_state_as_the_first_word_of_another_connection_of_the_user_takes_the_client_over(
    awareness: Awareness,
) -> None:
    """A client that connects again says what it said last; its old socket may be half open."""
    say(awareness, ANNA_HERE, entry(1, 5))
    assert say(awareness, ANNA_THERE, entry(1, 5)) == [entry(1, 5)]
    assert awareness.remove_connection("c1") == []
    assert awareness.entries() == [entry(1, 5)]


def test_same_state_as_a_later_word_of_another_connection_is_an_echo(awareness: Awareness) -> None:
    say(awareness, ANNA_HERE, entry(1, 5))
    say(awareness, ANNA_THERE, entry(2, 0))
    assert say(awareness, ANNA_THERE, entry(1, 5)) == []
    assert awareness.clients_of("c1") == {1}


@pytest.mark.parametrize("said", [entry(1, 4), entry(1, 5, NULL), entry(1, 6, NULL)])
def test_takeover_with_an_old_state_or_a_removal_is_passed_over(
    awareness: Awareness, said: AwarenessEntry
) -> None:
    say(awareness, ANNA_HERE, entry(1, 5))
    assert say(awareness, ANNA_THERE, said) == []
    assert awareness.clients_of("c1") == {1}


@pytest.mark.parametrize("said", [entry(1, 5), entry(1, 6), entry(1, 99), entry(1, 6, NULL)])
def test_who_is_not_known_takes_nothing_over(awareness: Awareness, said: AwarenessEntry) -> None:
    say(awareness, ANYONE, entry(1, 5))
    assert say(awareness, ANYONE_ELSE, said) == []
    assert awareness.clients_of("c4") == {1}


@pytest.mark.parametrize(
    ("first", "second"), [(ANNA_HERE, ANNA_THERE), (ANYONE, ANYONE_ELSE)], ids=["known", "unknown"]
)
def test_client_that_was_removed_may_be_used_by_the_same_user_with_a_newer_state(
    awareness: Awareness, first: Owner, second: Owner
) -> None:
    say(awareness, first, entry(1, 5))
    awareness.remove_connection(first.connection_id)
    assert say(awareness, second, entry(1, 5)) == []
    assert say(awareness, second, entry(1, 6)) == []
    assert say(awareness, second, entry(1, 7)) == [entry(1, 7)]


@pytest.mark.parametrize("other", [BEN, ANYONE], ids=["another", "unknown"])
def test_client_that_was_removed_is_kept_for_its_user_for_a_while(
    awareness: Awareness, clock: FakeClock, other: Owner
) -> None:
    say(awareness, ANNA_HERE, entry(1, 5))
    awareness.remove_connection("c1")
    assert say(awareness, other, entry(1, 99)) == []
    clock.advance(OUTDATED_S + 1)
    awareness.expire([])
    assert say(awareness, other, entry(1, 99)) == [entry(1, 99)]


def test_state_from_before_its_removal_is_answered_with_the_removal(awareness: Awareness) -> None:
    say(awareness, ANNA_HERE, entry(1, 5))
    awareness.remove_connection("c1")
    removal = entry(1, 6, NULL)
    assert awareness.missed_by([entry(1, 5), entry(2, 0)], ANNA_THERE) == [removal]
    assert awareness.missed_by([entry(1, 6)], ANNA_THERE) == [removal]
    assert awareness.missed_by([entry(1, 7)], ANNA_THERE) == []
    assert awareness.missed_by([entry(1, 6, NULL)], ANNA_THERE) == []
    assert awareness.missed_by([entry(1, 5)], BEN) == []


def test_state_that_is_there_is_not_answered(awareness: Awareness) -> None:
    say(awareness, ANNA_HERE, entry(1, 5))
    assert awareness.missed_by([entry(1, 4), entry(1, 5)], ANNA_THERE) == []


def test_removal_of_an_unknown_client_is_passed_over(awareness: Awareness) -> None:
    assert say(awareness, BEN, entry(1, 5, NULL)) == []
    assert awareness.clients_of("c3") == set()


def test_more_clients_than_allowed_on_one_connection_are_refused_before_any_is_told(
    awareness: Awareness,
) -> None:
    with pytest.raises(MalformedError):
        say(awareness, BEN, *[entry(number, 0) for number in range(100_000)])
    assert len(awareness.entries()) == MAX_CLIENTS


def test_echo_of_many_others_does_not_count_as_own_clients(awareness: Awareness) -> None:
    others = [entry(number, 3) for number in range(20)]
    for other in others:
        say(awareness, Owner(f"x{other.client}", f"user {other.client}"), other)
    assert say(awareness, BEN, *others, entry(99, 0)) == [entry(99, 0)]


def test_removing_a_connection_removes_its_states_with_the_next_clock(awareness: Awareness) -> None:
    say(awareness, ANNA_HERE, entry(1, 5), entry(2, 0))
    say(awareness, BEN, entry(3, 1))
    removed = awareness.remove_connection("c1")
    assert sorted(removed, key=lambda e: e.client) == [entry(1, 6, NULL), entry(2, 1, NULL)]
    assert awareness.entries() == [entry(3, 1)]
    assert awareness.remove_connection("c1") == []


def test_echo_of_a_state_after_its_removal_does_not_bring_it_back(awareness: Awareness) -> None:
    say(awareness, ANNA_HERE, entry(1, 5))
    awareness.remove_connection("c1")
    assert say(awareness, BEN, entry(1, 5), entry(1, 6)) == []
    assert awareness.entries() == []


def test_expire_removes_states_of_other_processes_that_are_not_renewed(
    awareness: Awareness, clock: FakeClock
) -> None:
    say(awareness, ANNA_HERE, entry(1, 5))
    say(awareness, BEN, entry(2, 5))
    clock.advance(OUTDATED_S - 1)
    assert awareness.expire(["c3"]) == []
    say(awareness, ANNA_HERE, entry(1, 6))
    clock.advance(OUTDATED_S - 1)
    assert awareness.expire(["c3"]) == []
    clock.advance(2)
    assert awareness.expire(["c3"]) == [entry(1, 7, NULL)]
    assert awareness.entries() == [entry(2, 5)]


def test_expire_forgets_removals_in_the_end(awareness: Awareness, clock: FakeClock) -> None:
    say(awareness, ANNA_HERE, entry(1, 5))
    awareness.remove_connection("c1")
    clock.advance(OUTDATED_S + 1)
    assert awareness.expire([]) == []
    assert awareness.clients_of("c1") == set()
    assert say(awareness, BEN, entry(1, 0)) == [entry(1, 0)]


def test_entries_of_gives_those_of_the_connections_by_owner(awareness: Awareness) -> None:
    say(awareness, ANNA_HERE, entry(1, 5), entry(2, 5))
    say(awareness, BEN, entry(3, 5))
    say(awareness, BEN, entry(3, 6, NULL))
    assert awareness.entries_of(["c1", "c3", "unknown"]) == {ANNA_HERE: [entry(1, 5), entry(2, 5)]}


# -- the wire


def encoded(*states: tuple[int, int, bytes]) -> bytes:
    return var_uint(len(states)) + b"".join(
        var_uint(client) + var_uint(clock) + var_bytes(state) for client, clock, state in states
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\x02" + encoded((1, 1, b"{}"))[1:],
        encoded((1, 1, b"{}")) + b"\x00",
        encoded((1, 1, b"{}"))[:-1],
        b"\xff\xff\xff\xff\x0f",
        b"\x81\x00" + encoded((1, 1, b"{}"))[1:],
        encoded((2**53, 1, b"{}")),
        b"\x01\x01\x01\x80\x01{}",
    ],
    ids=["empty", "cut", "count", "trailing", "short", "huge", "over-long", "client", "length"],
)
def test_decode_awareness_of_what_is_no_awareness_update_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_awareness(data)


def test_decode_awareness_with_the_highest_clock_of_javascript_is_refused() -> None:
    """Its removal would have a clock that no client can read."""
    assert decode_awareness(encoded((1, MAX_CLOCK - 1, b"{}")))
    with pytest.raises(MalformedError):
        decode_awareness(encoded((1, MAX_CLOCK, b"{}")))


def test_decode_awareness_of_very_many_states_is_refused_unread() -> None:
    with pytest.raises(LimitError):
        decode_awareness(encoded(*[(n, 0, b"?") for n in range(MAX_STATES + 1)]))


STATES = st.dictionaries(
    st.text(max_size=5), st.one_of(st.integers(), st.text(max_size=5), st.none()), max_size=3
).map(lambda state: json.dumps(state).encode())


@given(
    st.lists(
        st.builds(
            AwarenessEntry,
            st.integers(0, 2**53 - 1),
            st.integers(0, MAX_CLOCK - 1),
            st.one_of(STATES, st.just(NULL)),
        ),
        max_size=5,
    )
)
def test_awareness_encoded_and_decoded_is_the_same(entries: list[AwarenessEntry]) -> None:
    assert decode_awareness(encode_awareness(entries)) == entries


@given(st.binary(max_size=60))
def test_decode_awareness_of_random_bytes_gives_entries_or_refuses(data: bytes) -> None:
    try:
        entries = decode_awareness(data)
    except MalformedError:
        return
    assert encode_awareness(entries) == data
