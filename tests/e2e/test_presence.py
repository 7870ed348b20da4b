"""Who is here shows at the others, and no longer when they have gone."""

from __future__ import annotations

from tests.e2e.conftest import one_process
from tests.support import frames
from tests.support.site import Site

KEEP_ALIVE_S = 25
GHOST = 4242


def awareness(client: int, clock: int, state: str) -> str:
    """An awareness frame with one state, given as JSON."""
    entry = "01" + frames.var_uint(client) + frames.var_uint(clock) + frames.var_bytes(state.encode().hex())
    return "01" + frames.var_bytes(entry)


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


async def test_presence_ends_when_the_client_disconnects(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    one, two = await site.join(alice, room), await site.join(bob, room, process=1)
    await one.set_awareness({"name": "Alice"})
    await two.wait_awareness(one.client, {"name": "Alice"})
    await one.disconnect()
    await two.wait_awareness(one.client, None)


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
