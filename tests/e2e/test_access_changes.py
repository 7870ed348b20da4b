"""A change of rights applies to sockets that are open, whichever process they are open on.

REST goes to the first process; on the installation with two, these sockets are on the second.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.support import frames
from tests.support.api import Person
from tests.support.site import Site

APPLIES_WITHIN_S = 1.0


async def test_frame_sent_right_after_revocation_changes_nothing(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    member = alice.share(room, bob, "editor")
    owner = await site.join(alice, room)
    socket = await site.open_raw(room, token=bob.access)
    await socket.send(frames.sync_step_1())
    await socket.wait_frame("0001")
    made = await site.node.make_update([("text.insert", 0, "the last word")], client=80)

    alice.revoke(room, member)
    await socket.send(frames.update(made["update"]))
    assert (await socket.wait_close())["code"] == 4403
    newcomer = await site.join(alice, room, process=1)
    await owner.edit(("map.set", "last word", "the owner's"))
    await newcomer.wait_equal(owner)
    assert await newcomer.text() == ""


async def test_member_removed_from_the_organization_is_closed_4403(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    organization = alice.create_organization()
    membership = alice.add_to_organization(organization, bob, "member")
    room = alice.create_room(organization=organization)
    alice.open_to_organization(room, "editor")
    owner, removed = await site.join(alice, room), await site.join(bob, room, process=1)
    await removed.edit(("text.insert", 0, "as a member"))
    await owner.wait_equal(removed)

    alice.remove_from_organization(organization, membership)
    await removed.wait_event("closed", code=4403)
    assert (await owner.state())["connected"]


async def test_room_closed_to_the_organization_closes_its_members_4403(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    organization = alice.create_organization()
    alice.add_to_organization(organization, bob, "member")
    room = alice.create_room(organization=organization)
    alice.open_to_organization(room, "viewer")
    reader = await site.join(bob, room, process=1)
    alice.open_to_organization(room, None)
    await reader.wait_event("closed", code=4403)


async def test_room_put_in_the_trash_closes_everyone_4403(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "viewer")
    owner, reader = await site.join(alice, room), await site.join(bob, room, process=1)
    alice.request("DELETE", f"rooms/{room}/")
    await owner.wait_event("closed", code=4403)
    await reader.wait_event("closed", code=4403)


async def test_kicked_connection_is_closed_4403_wherever_it_is_and_others_of_the_user_stay(
    site: Site,
) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    first = await site.join(bob, room, process=1)
    listed = await connections_of(alice, room, count=1)
    second = await site.join(bob, room)
    assert len(await connections_of(alice, room, count=2)) == 2
    assert {row["protocol"] for row in listed} == {"y-websocket"}
    assert [(row["user"]["id"], row["role"]) for row in listed] == [(bob.id, "editor")]

    alice.request("DELETE", f"rooms/{room}/connections/{listed[0]['id']}/")
    kicked_at = time.monotonic()
    await first.wait_event("closed", code=4403)
    assert time.monotonic() - kicked_at < APPLIES_WITHIN_S
    assert (await second.state())["connected"]
    assert listed[0]["id"] not in {row["id"] for row in await connections_of(alice, room, count=1)}


async def test_connections_show_the_role_as_it_is_now_and_are_gone_with_the_client(site: Site) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    member = alice.share(room, bob, "editor")
    client = await site.join(bob, room, process=1)
    await connections_of(alice, room, count=1)
    alice.change_role(room, member, "viewer")
    while [row["role"] for row in await connections_of(bob, room, count=1)] != ["viewer"]:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await client.destroy()
    await connections_of(alice, room, count=0)


async def connections_of(person: Person, room: str, *, count: int) -> list[dict[str, Any]]:
    """Who is connected, once that is so many; the list is written a moment behind the sockets."""
    while True:
        rows: list[dict[str, Any]] = person.request("GET", f"rooms/{room}/connections/")["results"]
        if len(rows) == count:
            return rows
        await asyncio.sleep(0.02)
