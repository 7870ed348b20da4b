"""Rooms that no log keeps: processes tell each other, and ask again for what was lost."""

from __future__ import annotations

import asyncio

import pytest

from collab.engine import peers as peers_module
from collab.engine.gate import parse_update
from collab.engine.limits import Limits
from collab.engine.peers import PeerReplication, deletes_digest
from collab.engine.ports import PeerQuestion, PeerUpdate, RelayMessage
from collab.engine.room import LiveRoom
from tests.engine.builders import client, document_of, gc, typed, update
from tests.engine.scripted import FakeClock, turns, until

HELLO, THERE = typed(7, "hello"), typed(8, "there")
DELETE = update(deletes={7: [(0, 2)]})


class Peer:
    """One process; what it publishes waits in `outbox` until the test delivers it."""

    def __init__(self, *, reaches_others: bool = True) -> None:
        self.outbox: list[RelayMessage] = []
        self.replication = PeerReplication(self.outbox.append, reaches_others=reaches_others)
        self.room = LiveRoom("room", self.replication, self.outbox.append, Limits(), FakeClock())

    def write(self, data: bytes) -> None:
        self.room.take_in(parse_update(data))

    def hear(self, messages: list[RelayMessage]) -> None:
        for message in messages:
            self.room.received(message)

    def said(self) -> list[RelayMessage]:
        """What it has published since the last time."""
        messages = list(self.outbox)
        self.outbox.clear()
        return messages


async def exchange(*peers: Peer) -> int:
    """Deliver everything until nobody has anything more to say; the number of messages."""
    count = 0
    while any(peer.outbox for peer in peers):
        for peer in peers:
            messages = peer.said()
            count += len(messages)
            for other in peers:
                if other is not peer:
                    other.hear(messages)
        assert count < 100, "they never stop"
    await turns()
    return count


async def test_update_is_published_and_acknowledged_at_once() -> None:
    peer, saved = Peer(), list[bool]()
    peer.replication.record(peer.room, parse_update(HELLO), None, lambda: saved.append(True))
    assert peer.said() == [PeerUpdate("room", HELLO)]
    assert saved == [True]


async def test_open_takes_what_the_first_other_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "ANSWER_PATIENCE_S", 60.0)
    first, second = Peer(), Peer()
    first.write(HELLO)
    first.said()
    opening = asyncio.create_task(second.replication.open(second.room))
    await turns()
    first.hear(second.said())
    second.hear(first.said())
    await opening
    assert second.room.document.encode() == HELLO


async def test_open_where_nobody_answers_goes_on_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "ANSWER_PATIENCE_S", 0.001)
    peer = Peer()
    await peer.replication.open(peer.room)
    assert peer.room.document.is_empty


async def test_open_where_there_can_be_nobody_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "ANSWER_PATIENCE_S", 60.0)
    peer = Peer(reaches_others=False)
    await peer.replication.open(peer.room)
    await peer.replication.heal([peer.room])
    assert peer.said() == []


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ([HELLO], []),
        ([], [HELLO]),
        ([HELLO], [THERE]),
        ([HELLO, THERE], [HELLO]),
        ([HELLO, DELETE], [HELLO]),
        ([HELLO], [HELLO, DELETE]),
        ([HELLO, DELETE], [HELLO, THERE]),
        ([HELLO, DELETE], [HELLO, update(deletes={7: [(3, 1)]})]),
    ],
)
async def test_healing_of_both_after_lost_messages_makes_them_equal(
    here: list[bytes], there: list[bytes]
) -> None:
    first, second = Peer(), Peer()
    for peer, updates in ((first, here), (second, there)):
        for data in updates:
            peer.write(data)
        peer.said()  # lost
    for peer in (first, second):
        await peer.replication.heal([peer.room])
        await exchange(first, second)
    expected = document_of(*here, *there).encode()
    assert first.room.document.encode() == expected
    assert second.room.document.encode() == expected


async def test_what_lies_behind_a_gap_is_told_when_the_gap_is_filled() -> None:
    """A state vector ends at the gap, and no client can use what is behind it before."""
    first, second = Peer(), Peer()
    first.write(typed(7, "later", 9))
    first.write(HELLO)
    second.write(HELLO)
    first.said()
    second.said()
    second.write(typed(7, "four", 5))
    for peer in (first, second):
        await peer.replication.heal([peer.room])
        await exchange(first, second)
    expected = document_of(HELLO, typed(7, "four", 5), typed(7, "later", 9)).encode()
    assert first.room.document.encode() == expected
    assert second.room.document.encode() == expected


async def test_healing_of_equal_rooms_says_nothing_but_the_question() -> None:
    first, second = Peer(), Peer()
    for peer in (first, second):
        peer.write(HELLO)
        peer.write(DELETE)
        peer.said()
    await first.replication.heal([first.room])
    assert await exchange(first, second) == 1


async def test_three_that_differ_do_not_talk_for_ever() -> None:
    peers = [Peer() for _ in range(3)]
    for number, peer in enumerate(peers):
        peer.write(typed(number, "mine"))
        peer.write(update(deletes={number: [(0, 1)]}))
        peer.said()
    for peer in peers:
        await peer.replication.heal([peer.room])
    await exchange(*peers)
    documents = {peer.room.document.encode() for peer in peers}
    assert len(documents) == 1


async def test_answer_brings_only_what_the_other_lacks() -> None:
    first, second = Peer(), Peer()
    first.write(HELLO)
    first.write(typed(7, "more", 5))
    second.write(HELLO)
    second.said()
    first.said()
    await second.replication.heal([second.room])
    first.hear(second.said())
    [answer] = first.said()
    assert isinstance(answer, PeerUpdate)
    assert parse_update(answer.update).first_clocks == {7: 5}


def test_digest_tells_delete_sets_apart() -> None:
    plain, cut = document_of(HELLO), document_of(HELLO, DELETE)
    assert deletes_digest(plain) != deletes_digest(cut)
    assert deletes_digest(cut) == deletes_digest(document_of(DELETE, THERE))


async def test_empty_room_does_not_answer_a_question() -> None:
    peer = Peer()
    peer.hear([PeerQuestion("room", b"\x00", deletes_digest(peer.room.document))])
    peer.hear([PeerQuestion("room", b"\x00", b"another digest")])
    assert peer.said() == []


async def test_long_update_of_another_process_lets_the_loop_go_on_while_it_is_walked() -> None:
    peer = Peer()
    long = update(client(7, 0, *[gc()] * 50_000))
    peer.hear([PeerUpdate("room", long)])
    assert peer.room.document.is_empty
    await until(lambda: not peer.room.document.is_empty)
    assert peer.room.document.state_vector() == {7: 50_000}


async def test_long_malformed_update_of_another_process_is_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    peer = Peer()
    peer.hear([PeerUpdate("room", update(client(7, 0, *[gc()] * 5000)) + b"\x00")])
    await until(lambda: "refused" in caplog.text)
    assert peer.room.document.is_empty


async def test_open_is_answered_by_a_long_update_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "ANSWER_PATIENCE_S", 60.0)
    peer = Peer()
    opening = asyncio.create_task(peer.replication.open(peer.room))
    await turns()
    peer.hear([PeerUpdate("room", update(client(7, 0, *[gc()] * 50_000)))])
    await opening
    assert peer.room.document.state_vector() == {7: 50_000}
