"""Presence of a room: who is there is who the server knows, and comes back with a reconnect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import pytest

from collab.engine.awareness import STEPS, AwarenessEntry, decode_awareness, encode_awareness
from collab.engine.errors import MalformedError
from collab.engine.identity import Identity
from collab.engine.limits import Limits
from collab.engine.ports import PresenceChanged, PresenceQuestion, RelayMessage
from collab.engine.presence import BURST, MAX_JOINED
from collab.engine.protocol import AwarenessMessage, create_awareness_message, decode_message
from collab.engine.reception import receive
from collab.engine.room import LiveRoom
from collab.engine.slices import finish_in_slices
from tests.engine.scripted import Client, FakeClock, NoReplication, turns, until

ANNA, BEN = UUID(int=1), UUID(int=2)
NAMES = {ANNA: "Anna", BEN: "Ben"}
LIMITS = Limits(max_awareness_bytes=100)


def presence(*entries: tuple[int, int, str]) -> bytes:
    entries_ = [AwarenessEntry(client, clock, state.encode()) for client, clock, state in entries]
    return create_awareness_message(encode_awareness(entries_))


def states_in(frame: bytes) -> dict[int, tuple[int, object]]:
    """Clock and state by client id."""
    assert frame[0] == 1
    return {
        entry.client: (entry.clock, json.loads(entry.state))
        for entry in decode_awareness(frame[1 + (1 if frame[1] < 128 else 2) :])
    }


class Scene:
    """A room in one process; `published` is what the others would hear."""

    def __init__(self, clock: FakeClock, process: str) -> None:
        self.clock = clock
        self.process = process
        self.published: list[RelayMessage] = []
        self.room = LiveRoom("room", NoReplication(), self.published.append, LIMITS, clock)
        self.clients: list[Client] = []

    async def join(self, user: UUID | None = None) -> Client:
        """Let somebody in; what they were greeted with is forgotten."""
        client = Client(self.clock, LIMITS, user_id=user)
        if user is not None:
            client.connection.identify(Identity({"id": str(user), "name": NAMES[user], "color": "#000000"}))
        self.clients.append(client)
        self.room.join(client.connection)
        await turns()
        client.frames.clear()
        return client

    async def say(self, client: Client, *entries: tuple[int, int, str]) -> None:
        await receive(self.room, client.connection, presence(*entries))
        await turns()

    async def forget(self, process: Scene) -> None:
        """That process has died, as far as this one knows."""
        await finish_in_slices(self.room.presence.forget_process(process.process))
        await turns()

    async def leave(self, client: Client) -> None:
        self.room.leave(client.connection)
        await turns()

    @property
    def there(self) -> dict[int, object]:
        """The states that a newcomer would be told of."""
        frame = self.room.presence.frame()
        return {} if frame is None else {client: state for client, (_, state) in states_in(frame).items()}


@pytest.fixture
async def scene(clock: FakeClock) -> AsyncIterator[Scene]:
    scene = Scene(clock, "here")
    yield scene
    for client in scene.clients:
        await client.end()


@pytest.fixture
async def elsewhere(clock: FakeClock) -> AsyncIterator[Scene]:
    """The same room in another process."""
    scene = Scene(clock, "elsewhere")
    yield scene
    for client in scene.clients:
        await client.end()


@pytest.fixture
async def third(clock: FakeClock) -> AsyncIterator[Scene]:
    """The same room in a third process."""
    scene = Scene(clock, "third")
    yield scene
    for client in scene.clients:
        await client.end()


def pass_on(source: Scene, *targets: Scene) -> None:
    messages, source.published[:] = list(source.published), []
    for message in messages:
        if isinstance(message, PresenceChanged):
            message = replace(message, process=source.process)  # noqa: PLW2901
        for target in targets:
            target.room.received(message)


USER = {"id": str(ANNA), "name": "Anna", "color": "#000000"}


async def test_state_shows_the_user_of_its_connection(scene: Scene) -> None:
    anna, ben = await scene.join(ANNA), await scene.join(BEN)
    await scene.say(anna, (1, 0, '{"user":{"name":"Ben","id":"2","x":1},"cursor":3}'))
    assert states_in(ben.frames[-1]) == {1: (0, {"user": {**USER, "x": 1}, "cursor": 3})}
    message = scene.published[-1]
    assert isinstance(message, PresenceChanged)
    assert create_awareness_message(message.awareness) == ben.frames[-1]


async def test_state_without_a_user_gets_one_and_a_removal_none(scene: Scene) -> None:
    anna, ben = await scene.join(ANNA), await scene.join(BEN)
    await scene.say(anna, (1, 0, "{}"))
    assert states_in(ben.frames[-1]) == {1: (0, {"user": USER})}
    await scene.say(anna, (1, 1, "null"))
    assert states_in(ben.frames[-1]) == {1: (1, None)}


async def test_state_of_a_connection_without_an_identity_stays_as_it_is(scene: Scene) -> None:
    one, other = await scene.join(), await scene.join()
    await scene.say(one, (1, 0, '{ "user": {"name":"Whoever"} }'))
    assert other.frames == [presence((1, 0, '{ "user": {"name":"Whoever"} }'))]


async def test_new_identity_shows_with_the_next_state(scene: Scene) -> None:
    anna, ben = await scene.join(ANNA), await scene.join(BEN)
    await scene.say(anna, (1, 0, "{}"))
    anna.connection.identify(Identity({"id": str(ANNA), "name": "Anna B."}))
    await scene.say(anna, (1, 1, "{}"))
    assert states_in(ben.frames[-1])[1][1]["user"]["name"] == "Anna B."  # type: ignore[index]
    assert anna.connection.owner.user_id == str(ANNA)


async def test_connection_without_a_user_is_owned_by_its_identity(scene: Scene) -> None:
    one, two = await scene.join(), await scene.join()
    for client in (one, two):
        client.connection.identify(Identity({"id": "guest 7"}))
    await scene.say(one, (1, 0, '{"a":1}'))
    await scene.say(two, (1, 1, '{"a":2}'))
    await scene.leave(one)
    assert list(scene.there) == [1]


@pytest.mark.parametrize("bad", ["[]", '{"a":NaN}', '{"user":{},"user":{}}', '{"a":"' + "x" * 93 + '"}'])
async def test_bad_state_keeps_all_of_its_message_from_the_others(scene: Scene, bad: str) -> None:
    anna, ben = await scene.join(ANNA), await scene.join(BEN)
    with pytest.raises(MalformedError):
        await scene.say(anna, (1, 0, "{}"), (2, 0, bad))
    assert scene.there == {}
    assert ben.frames == scene.published == []


async def test_echo_of_a_state_of_another_may_be_longer_than_a_state(scene: Scene) -> None:
    """A stamp makes it longer, and JavaScript writes numbers in its own way."""

    def numbers(number: str) -> str:
        return f'{{"a":[{",".join([number] * 18)}]}}'

    anna, ben = await scene.join(ANNA), await scene.join(BEN)
    await scene.say(anna, (1, 0, numbers("1e20")))
    await scene.say(ben, (1, 0, numbers("1" + "0" * 20)))
    assert not ben.connection.is_closed
    assert len(scene.published) == 1


async def test_state_with_its_stamp_may_be_too_long_for_a_client_and_still_reaches_other_processes(
    scene: Scene, elsewhere: Scene
) -> None:
    anna = await scene.join(ANNA)
    await scene.say(anna, (1, 0, '{"a":"%s"}' % ("x" * 92)))
    pass_on(scene, elsewhere)
    assert elsewhere.there == scene.there != {}


async def test_message_of_another_process_keeps_the_user_it_came_with(scene: Scene, elsewhere: Scene) -> None:
    anna, ben = await scene.join(ANNA), await elsewhere.join(BEN)
    await scene.say(anna, (1, 0, "{}"))
    pass_on(scene, elsewhere)
    await turns()
    assert states_in(ben.frames[-1]) == {1: (0, {"user": USER})}


async def test_what_changes_faster_than_can_be_seen_goes_out_joined_and_in_the_end_complete(
    scene: Scene,
) -> None:
    anna, ben = await scene.join(ANNA), await scene.join(BEN)
    for at in range(1000):
        await scene.say(anna, (1, at, f'{{"at":{at}}}'))
    while not ben.frames or states_in(ben.frames[-1])[1][0] != 999:
        await turns()
    assert BURST <= len(ben.frames) < 200
    assert [states_in(frame)[1][0] for frame in ben.frames[:BURST]] == list(range(BURST))


async def test_very_many_changes_go_out_in_several_messages_and_in_the_end_complete(scene: Scene) -> None:
    anna, ben = await scene.join(ANNA), await scene.join(BEN)
    for at in range(BURST):
        await scene.say(anna, (1, at, "{}"))
    ben.frames.clear()
    count = 2 * MAX_JOINED + 1
    for number in range(2, count + 2):
        state = encode_awareness([AwarenessEntry(number, 0, b"{}")])
        scene.room.received(PresenceChanged("room", f"connection {number}", None, state))
    heard: list[int] = []
    while len(heard) < count:
        await until(lambda: ben.frames)
        message = decode_message(ben.frames.pop(0))
        assert isinstance(message, AwarenessMessage)
        entries = decode_awareness(message.awareness)
        assert len(entries) <= MAX_JOINED
        heard += [entry.client for entry in entries]
    assert heard == list(range(2, count + 2))


# -- nobody speaks for another


@pytest.mark.parametrize("state", ['{"name":"Anna?"}', "null"], ids=["state", "removal"])
@pytest.mark.parametrize("clock_said", [5, 6, 1000])
@pytest.mark.parametrize("who", [BEN, None], ids=["another", "unknown"])
async def test_another_user_neither_replaces_nor_removes_a_state(
    scene: Scene, elsewhere: Scene, who: UUID | None, clock_said: int, state: str
) -> None:
    anna = await scene.join(ANNA)
    await scene.say(anna, (1, 5, '{"a":1}'))
    pass_on(scene, elsewhere)
    before = scene.there
    for process in (scene, elsewhere):
        await process.say(await process.join(who), (1, clock_said, state))
        assert process.there == before
        assert process.published == []


async def test_another_user_does_not_get_a_client_id_in_the_gap_of_a_reconnect(
    scene: Scene, elsewhere: Scene
) -> None:
    anna, ben = await scene.join(ANNA), await elsewhere.join(BEN)
    await scene.say(anna, (1, 5, "{}"))
    await scene.leave(anna)
    pass_on(scene, elsewhere)
    await elsewhere.say(ben, (1, 1000, "{}"))
    assert elsewhere.there == {}
    await elsewhere.say(await elsewhere.join(ANNA), (1, 7, "{}"))
    assert elsewhere.there == {1: {"user": USER}}


# -- reconnects


async def test_client_that_is_back_after_its_removal_is_told_and_shows_with_its_next_clock(
    scene: Scene,
) -> None:
    """y-protocols raises its clock, and says it again, when it hears that it was removed."""
    anna = await scene.join(ANNA)
    await scene.say(anna, (1, 5, "{}"))
    await scene.leave(anna)
    again = await scene.join(ANNA)
    await scene.say(again, (1, 5, "{}"))
    assert states_in(again.frames[-1]) == {1: (6, None)}
    await scene.say(again, (1, 7, "{}"))
    assert scene.there == {1: {"user": USER}}


@pytest.mark.parametrize("said", [5, 6])
async def test_client_that_is_back_beside_its_half_open_socket_takes_its_state_over(
    scene: Scene, said: int
) -> None:
    anna, ben = await scene.join(ANNA), await scene.join(BEN)
    await scene.say(anna, (1, 5, "{}"))
    again = await scene.join(ANNA)
    await scene.say(again, (1, said, "{}"))
    ben.frames.clear()
    await scene.leave(anna)
    assert scene.there == {1: {"user": USER}}
    assert ben.frames == []
    await scene.leave(again)
    assert scene.there == {}


async def test_client_that_is_back_in_another_process_takes_its_state_over(
    scene: Scene, elsewhere: Scene
) -> None:
    anna = await scene.join(ANNA)
    await scene.say(anna, (1, 5, "{}"))
    pass_on(scene, elsewhere)
    again = await elsewhere.join(ANNA)
    await elsewhere.say(again, (1, 5, "{}"))
    pass_on(elsewhere, scene)
    await scene.leave(anna)
    pass_on(scene, elsewhere)
    assert scene.there == elsewhere.there == {1: {"user": USER}}
    await elsewhere.leave(again)
    pass_on(elsewhere, scene)
    assert scene.there == elsewhere.there == {}


async def test_removal_that_overtakes_the_news_of_a_reconnect_elsewhere_is_made_good(
    scene: Scene, elsewhere: Scene
) -> None:
    anna = await scene.join(ANNA)
    await scene.say(anna, (1, 5, "{}"))
    pass_on(scene, elsewhere)
    await scene.leave(anna)
    again = await elsewhere.join(ANNA)
    await elsewhere.say(again, (1, 5, "{}"))
    pass_on(elsewhere, scene)
    pass_on(scene, elsewhere)
    await turns()
    assert states_in(again.frames[-1]) == {1: (6, None)}
    await elsewhere.say(again, (1, 7, "{}"))
    pass_on(elsewhere, scene)
    assert scene.there == elsewhere.there == {1: {"user": USER}}


async def test_second_tab_that_repeats_the_first_one_does_not_take_its_place(scene: Scene) -> None:
    first, second = await scene.join(ANNA), await scene.join(ANNA)
    await scene.say(first, (1, 5, "{}"))
    await scene.say(second, (2, 0, "{}"))
    await scene.say(second, (1, 5, "{}"))
    await scene.leave(second)
    assert scene.there == {1: {"user": USER}}


# -- processes that die


async def test_states_of_a_process_that_died_are_taken_away_and_no_others(
    scene: Scene, elsewhere: Scene, third: Scene
) -> None:
    ben = await scene.join(BEN)
    await scene.say(ben, (1, 0, "{}"))
    for number, process in enumerate((elsewhere, third), 2):
        await process.say(await process.join(ANNA), (number, 5, "{}"))
        pass_on(process, scene)
    await turns()
    ben.frames.clear()
    scene.published.clear()
    await scene.forget(elsewhere)
    assert sorted(scene.there) == [1, 3]
    assert [states_in(frame) for frame in ben.frames] == [{2: (5, None)}]
    assert scene.published == []
    await scene.forget(elsewhere)
    assert len(ben.frames) == 1


async def test_client_of_a_process_that_was_only_slow_shows_with_its_next_word(
    scene: Scene, elsewhere: Scene
) -> None:
    anna, ben = await elsewhere.join(ANNA), await scene.join(BEN)
    await elsewhere.say(anna, (1, 5, "{}"))
    pass_on(elsewhere, scene)
    await scene.forget(elsewhere)
    await elsewhere.say(anna, (1, 6, '{"at":1}'))
    pass_on(elsewhere, scene)
    await turns()
    assert states_in(ben.frames[-1]) == {1: (6, {"at": 1, "user": USER})}
    assert scene.published == []
    await scene.forget(elsewhere)
    assert scene.there == {}


async def test_process_that_was_only_slow_and_says_what_it_said_has_its_clients_say_it_anew(
    scene: Scene, elsewhere: Scene
) -> None:
    anna = await elsewhere.join(ANNA)
    await elsewhere.say(anna, (1, 5, "{}"))
    pass_on(elsewhere, scene)
    await scene.forget(elsewhere)
    elsewhere.room.received(PresenceQuestion("room"))
    pass_on(elsewhere, scene)
    pass_on(scene, elsewhere)
    await turns()
    assert states_in(anna.frames[-1]) == {1: (5, None)}
    await elsewhere.say(anna, (1, 6, "{}"))
    pass_on(elsewhere, scene)
    assert scene.there == elsewhere.there == {1: {"user": USER}}


@pytest.mark.parametrize("is_early", [True, False], ids=["before the death is known", "after"])
@pytest.mark.parametrize("who", [ANNA, None], ids=["known", "unknown"])
async def test_client_of_a_process_that_died_is_back_in_another_without_a_ghost(
    scene: Scene, elsewhere: Scene, third: Scene, who: UUID | None, is_early: bool
) -> None:
    """y-protocols says the same again on the new line, and some time later with the next clock."""
    await elsewhere.say(await elsewhere.join(who), (1, 5, "{}"))
    pass_on(elsewhere, scene, third)
    if not is_early:
        await scene.forget(elsewhere)
        await third.forget(elsewhere)
    again = await scene.join(who)
    await scene.say(again, (1, 5, "{}"))
    pass_on(scene, third)
    if is_early:
        await scene.forget(elsewhere)
        await third.forget(elsewhere)
    await scene.say(again, (1, 6, "{}"))
    pass_on(scene, third)
    assert list(scene.there) == list(third.there) == [1]
    await scene.leave(again)
    pass_on(scene, third)
    assert scene.there == third.there == {}


async def test_echo_of_a_state_does_not_bring_back_whose_process_died(scene: Scene, elsewhere: Scene) -> None:
    ben = await scene.join(BEN)
    await elsewhere.say(await elsewhere.join(ANNA), (1, 5, "{}"))
    pass_on(elsewhere, scene)
    await scene.forget(elsewhere)
    await scene.say(ben, (1, 5, "{}"))
    assert scene.there == {}
    assert scene.published == []


async def test_many_states_of_a_process_that_died_go_in_slices_but_for_those_who_came_back_meanwhile(
    scene: Scene,
) -> None:
    for number in range(3 * STEPS):
        state = encode_awareness([AwarenessEntry(number, 5, b"{}")])
        scene.room.received(PresenceChanged("room", f"connection {number}", str(ANNA), state, "elsewhere"))
    again = await scene.join(ANNA)
    forgetting = scene.room.presence.forget_process("elsewhere")
    next(forgetting)
    assert len(scene.there) == 2 * STEPS
    last = 3 * STEPS - 1
    await scene.say(again, (last, 5, '{"is":"back"}'))
    await finish_in_slices(forgetting)
    assert scene.there == {last: {"is": "back", "user": USER}}


# -- long messages


LONG = presence(
    *[
        (7, clock, '{"user":{"name":"Anna"},"more":"a cursor, and what it points at"}')
        for clock in range(1, 100)
    ]
)


async def test_long_presence_of_a_connection_that_leaves_meanwhile_has_no_effect(scene: Scene) -> None:
    reader, leaver = await scene.join(), await scene.join()
    receiving = asyncio.create_task(receive(scene.room, leaver.connection, LONG))
    await asyncio.sleep(0)
    scene.room.leave(leaver.connection)
    await receiving
    await turns()
    assert scene.room.presence.awareness.entries() == []
    assert not any(b"Anna" in frame for frame in reader.frames)


async def test_long_presence_is_taken_in_with_the_last_state_of_each_client(scene: Scene) -> None:
    client = await scene.join()
    await receive(scene.room, client.connection, LONG)
    assert [(held.client, held.clock) for held in scene.room.presence.awareness.entries()] == [(7, 99)]


async def test_long_presence_of_too_many_clients_is_refused_before_any_state_is_read(scene: Scene) -> None:
    client = await scene.join()
    entries = [AwarenessEntry(number, 1, b"no JSON" * 100) for number in range(1, 20)]
    with pytest.raises(MalformedError, match="client ids"):
        await receive(scene.room, client.connection, create_awareness_message(encode_awareness(entries)))
    assert scene.room.presence.awareness.entries() == []
