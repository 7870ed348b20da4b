"""Who is here shows at the others, and no longer when they have gone."""

from __future__ import annotations

import asyncio
from typing import Any

from collab.engine.identity import color_of
from tests.e2e.conftest import one_process
from tests.support import frames
from tests.support.api import Person
from tests.support.providers import Provider
from tests.support.site import Site

KEEP_ALIVE_S = 25
GHOST = 4242
#: A client says again that it is there every 15 s; what is quicker is not that.
AT_ONCE_S = 5


def awareness(client: int, clock: int, state: str) -> str:
    """An awareness frame with one state, given as JSON."""
    entry = "01" + frames.var_uint(client) + frames.var_uint(clock) + frames.var_bytes(state.encode().hex())
    return "01" + frames.var_bytes(entry)


def who(person: Person, **more: Any) -> dict[str, Any]:
    """The `user` of a state."""
    return {"id": person.id, "name": person.name, "color": color_of(person.id), **more}


async def connections_of(person: Person, room: str, *, count: int) -> list[dict[str, Any]]:
    """Who is connected, when the server says that it is so many."""
    async with asyncio.timeout(30):
        while True:
            found = person.request("GET", f"rooms/{room}/connections/")["results"]
            if len(found) == count:
                return list(found)
            await asyncio.sleep(0.05)


async def test_presence_shows_who_is_signed_in_whatever_the_client_says(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "viewer")
    one, two = await site.join(alice, room), await site.join(bob, room, process=1)
    await two.set_awareness({})
    await one.wait_awareness(two.client, {"user": who(bob)})
    await two.set_awareness({"user": {"name": "alice", "id": alice.id, "color": "red", "colorLight": "#fee"}})
    bobs = {"user": who(bob, colorLight="#fee")}
    await one.wait_awareness(two.client, bobs)
    late = await site.join(alice, room, process=1)
    await late.wait_awareness(two.client, bobs)
    await one.set_awareness({"cursor": 3})
    await late.wait_awareness(one.client, {"cursor": 3, "user": who(alice)})


async def test_new_name_shows_with_the_next_state(site: Site) -> None:
    alice, carol = site.people("alice", "carol")
    room = alice.create_room()
    alice.share(room, carol, "editor")
    one, two = await site.join(alice, room), await site.join(carol, room, process=1)
    await two.set_awareness({})
    await one.wait_awareness(two.client, {"user": who(carol)})
    carol.name = "Carol C."
    carol.request("PATCH", "users/me/", json={"name": carol.name})
    async with asyncio.timeout(AT_ONCE_S):
        at = 0
        while (await one.awareness())[str(two.client)]["user"] != who(carol):
            at += 1
            await two.set_awareness({"at": at})
            await one.wait_awareness(two.client, {"at": at})


async def test_presence_of_another_can_be_neither_replaced_nor_removed(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    one, two = await site.join(alice, room), await site.join(alice, room, process=1)
    await one.set_awareness({"is": "here"})
    await two.wait_awareness(one.client, {"is": "here"})
    for process in range(2):
        hostile = await site.open_raw(room, token=bob.access, process=process)
        for clock, state in [(1000, '{"is":"not here"}'), (2000, "null"), (1, "null"), (2, "null")]:
            await hostile.send(awareness(one.client, clock, state))
        await hostile.send(awareness(GHOST + process, 1, '{"is":"done"}'))
        for client in (one, two):
            await client.wait_awareness(GHOST + process, {"is": "done"})
    assert (await two.awareness())[str(one.client)] == {"is": "here", "user": who(alice)}
    await one.set_awareness({"is": "still here"})
    await two.wait_awareness(one.client, {"is": "still here", "user": who(alice)})


async def test_who_has_no_access_is_not_present(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    watching = await site.join(alice, room)
    stranger = await site.open_raw(room, token=bob.access, process=1)
    await stranger.send(awareness(GHOST, 1, "{}"))
    assert (await stranger.wait_close())["code"] == 4403
    friend = await site.join(alice, room, process=1)
    await friend.set_awareness({})
    await watching.wait_awareness(friend.client, {"user": who(alice)})
    assert str(GHOST) not in await watching.awareness()


async def test_presence_is_back_at_once_after_a_reconnect(site: Site) -> None:
    """The client says what it said last, with the same clock, though it was removed since."""
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    one, two = await site.join(alice, room), await site.join(bob, room, process=1)
    await two.set_awareness({"is": "here"})
    await one.wait_awareness(two.client, {"is": "here"})
    for _ in range(2):
        await two.disconnect()
        await one.wait_awareness(two.client, None)
        await two.connect()
        await one.wait_awareness(two.client, {"is": "here", "user": who(bob)}, timeout_s=AT_ONCE_S)


async def test_reconnect_beside_a_half_open_socket_takes_over_and_leaves_no_ghost(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    watching = await site.join(alice, room)
    half_open = await site.open_raw(room, token=bob.access)
    await half_open.send(awareness(GHOST, 1, '{"is":"old"}'))
    await watching.wait_awareness(GHOST, {"is": "old"})
    url = site.server(1).socket_url
    again = await Provider.open(site.node, url, room, params={"token": bob.access}, client=GHOST)
    await again.wait_synced()
    for state in ({"is": "back"}, {"is": "new"}):  # a clock that is higher than the old one's
        await again.set_awareness(state)
    await watching.wait_awareness(GHOST, {"is": "new"})
    await half_open.terminate()
    await connections_of(alice, room, count=2)
    assert (await watching.awareness())[str(GHOST)] == {"is": "new", "user": who(bob)}
    await again.disconnect()
    await watching.wait_awareness(GHOST, None, timeout_s=AT_ONCE_S)


async def test_presence_ends_when_the_connection_is_kicked(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    one, two = await site.join(alice, room), await site.join(bob, room, process=1)
    await two.set_awareness({})
    await one.wait_awareness(two.client, {"user": who(bob)})
    found = await connections_of(alice, room, count=2)
    [kicked] = [row["id"] for row in found if row["user"]["id"] == bob.id]
    alice.request("DELETE", f"rooms/{room}/connections/{kicked}/")
    await one.wait_awareness(two.client, None, timeout_s=AT_ONCE_S)


async def test_presence_appears_at_others_and_at_those_who_come_later(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "viewer")
    one, two = await site.join(alice, room), await site.join(bob, room, process=1)
    await one.set_awareness({"name": "Ålice 👩", "cursor": 3})
    await two.wait_awareness(one.client, {"name": "Ålice 👩", "cursor": 3})
    await two.set_awareness({"name": "Bob, who only reads"})
    await one.wait_awareness(two.client, {"name": "Bob, who only reads"})
    late = await site.join(alice, room, process=1)
    await late.wait_awareness(one.client, {"name": "Ålice 👩", "cursor": 3})
    await late.wait_awareness(two.client, {"name": "Bob, who only reads"})


async def test_presence_ends_when_the_socket_breaks_without_a_word(site: Site) -> None:
    alice = site.person("alice")
    room = alice.create_room()
    watching = await site.join(alice, room)
    ghost = await site.open_raw(room, token=alice.access, process=1)
    await ghost.send(awareness(GHOST, 1, '{"name":"ghost"}'))
    await watching.wait_awareness(GHOST, {"name": "ghost"})
    await ghost.terminate()
    await watching.wait_awareness(GHOST, None)


async def test_presence_ends_when_access_is_revoked(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    member = alice.share(room, bob, "viewer")
    one, two = await site.join(alice, room), await site.join(bob, room, process=1)
    await two.set_awareness({"name": "Bob"})
    await one.wait_awareness(two.client, {"name": "Bob"})
    alice.revoke(room, member)
    await one.wait_awareness(two.client, None)


@one_process
async def test_idle_client_hears_something_within_25_seconds(site: Site) -> None:
    """y-websocket gives a connection up after 30 s of silence."""
    alice = site.person("alice")
    socket = await site.open_raw(alice.create_room(), token=alice.access)
    await socket.send(frames.sync_step_1())
    handshake = await socket.wait_frame("0001")
    heard = [event for event in await socket.events() if event["type"] == "frame"]
    await socket.wait_frame(since=max(handshake["next"], len(heard)), timeout_s=KEEP_ALIVE_S + 1)
