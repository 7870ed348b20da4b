"""Real Hocuspocus providers, v3 and v4, among themselves and in one room with y-websocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.support.api import Person
from tests.support.site import Site

both_versions = pytest.mark.parametrize("version", [3, 4])


@both_versions
async def test_providers_of_both_protocols_share_text_and_presence_over_processes(
    site: Site, version: int
) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    hocuspocus = await site.join_document(alice, room, version=version)
    other = await site.join_document(bob, room, version=7 - version, process=1)
    websocket = await site.join(bob, room, process=1)
    assert await hocuspocus.scope() == "read-write"

    await hocuspocus.edit(("text.insert", 0, "one "))
    await websocket.wait_content("text", "one ")
    await websocket.edit(("text.insert", 4, "two "))
    await hocuspocus.wait_content("text", "one two ")
    await hocuspocus.edit_at_once([("text.delete", 0, 4)], websocket, [("text.insert", 8, "three")])
    await other.edit(("map.set", "from", "the other version"))
    for each in (hocuspocus, other):
        await each.wait_saved()
    await hocuspocus.wait_equal(websocket, other)

    await hocuspocus.set_awareness({"name": "Alice"})
    await websocket.set_awareness({"name": "Bob"})
    for each in (websocket, other):
        await each.wait_awareness_field(hocuspocus.client, "name", "Alice")
    for each in (hocuspocus, other):
        await each.wait_awareness_field(websocket.client, "name", "Bob")
    await websocket.destroy()
    await hocuspocus.wait_awareness(websocket.client, None)
    await hocuspocus.destroy()
    await other.wait_awareness(hocuspocus.client, None)


@both_versions
async def test_what_was_typed_offline_is_merged_and_saved(site: Site, version: int) -> None:
    alice = site.person("alice")
    room = alice.create_room()
    provider = await site.join_document(alice, room, version=version)
    await provider.edit(("text.insert", 0, "before "))
    await provider.wait_saved()
    await provider.disconnect()
    await provider.edit(("text.insert", 7, "offline "))
    other = await site.join(alice, room, process=1)
    await other.edit(("text.insert", 7, "meanwhile "))
    await provider.connect()
    await provider.wait_equal(other)
    await provider.wait_saved()


@both_versions
async def test_forced_sync_ends_saved(site: Site, version: int) -> None:
    """The provider counts it as a change, which the answer to the server's question takes off."""
    alice = site.person("alice")
    provider = await site.join_document(alice, alice.create_room(), version=version)
    await provider.force_sync()
    await provider.wait_saved()
    await provider.edit(("text.insert", 0, "and after"))
    await provider.wait_saved()


@both_versions
async def test_viewer_is_told_that_nothing_is_saved_until_it_may_write(site: Site, version: int) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    member = alice.share(room, bob, "viewer")
    editor = await site.join(alice, room)
    await editor.edit(("text.insert", 0, "by the editor"))
    viewer = await site.join_document(bob, room, version=version, process=1)
    assert await viewer.scope() == "readonly"
    await viewer.wait_content("text", "by the editor")

    await viewer.edit(("text.insert", 0, "by the viewer "))
    await viewer.wait_frame(status_frame(room, 0))
    await editor.edit(("text.insert", 13, ", still read"))
    await viewer.wait_content("text", "by the viewer by the editor, still read")
    assert await editor.text() == "by the editor, still read"

    events = (await viewer.state())["events"]
    alice.change_role(room, member, "editor")
    await viewer.wait_event("authenticated", since=events, scope="read-write")
    await viewer.wait_saved()
    await viewer.wait_equal(editor)
    assert (await viewer.state())["connections"] == 1


@both_versions
async def test_revoked_document_is_closed_and_others_of_the_socket_go_on(site: Site, version: int) -> None:
    alice, bob = site.people("alice", "bob")
    rooms = [alice.create_room() for _ in range(2)]
    members = [alice.share(room, bob, "editor") for room in rooms]
    kept, lost = [
        await site.join_document(bob, room, version=version, socket=f"shared {version}", process=1)
        for room in rooms
    ]
    alice.revoke(rooms[1], members[1])
    await lost.wait_event("denied")
    await lost.wait_closed(1000)
    await lost.edit(("text.insert", 0, "after"))
    await kept.edit(("text.insert", 0, "goes on"))
    await kept.wait_saved()
    assert (await kept.state())["connections"] == 1
    assert await text_for_newcomer(site, alice, rooms[1]) == ""


@both_versions
async def test_provider_whose_last_document_was_revoked_comes_back_once_and_no_more(
    site: Site, version: int
) -> None:
    """Providers reconnect whatever the code: what ends that is a denial on a socket that stays."""
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    member = alice.share(room, bob, "editor")
    provider = await site.join_document(bob, room, version=version)
    alice.revoke(room, member)
    closed = await provider.wait_closed(4403)
    await provider.wait_event("denied", since=closed["next"])
    await asyncio.sleep(2)  # it would have come back several times
    assert (await provider.state())["connections"] == 2


@both_versions
async def test_unknown_room_is_denied(site: Site, version: int) -> None:
    alice, bob = site.people("alice", "bob")
    provider = await site.open_document(bob, alice.create_room(), version=version)
    denied = await provider.wait_event("denied")
    assert denied["reason"] == "You have no access to this room."


@both_versions
async def test_many_documents_on_one_socket_open_at_once(site: Site, version: int) -> None:
    """More than a socket may have waiting for their tokens."""
    alice = site.person("alice")
    rooms = [alice.create_room() for _ in range(40)]
    providers = [
        await site.open_document(alice, room, version=version, socket=f"many {version}", connect=False)
        for room in rooms
    ]
    for number, provider in enumerate(providers):
        await provider.edit(("text.insert", 0, f"document {number}"))
    await providers[0].connect()
    for provider in providers:
        await provider.wait_saved()
    assert (await providers[0].state())["connections"] == 1
    for number in (0, 17, 39):
        assert await text_for_newcomer(site, alice, rooms[number]) == f"document {number}"


async def test_sessions_of_one_document_share_a_socket(site: Site) -> None:
    alice = site.person("alice")
    room = alice.create_room()
    first, second = [
        await site.join_document(alice, room, socket="sessions", sessions=True) for _ in range(2)
    ]
    await first.edit(("text.insert", 0, "from the first"))
    await second.wait_content("text", "from the first")
    await first.set_awareness({"name": "first"})
    await second.wait_awareness_field(first.client, "name", "first")
    await first.destroy()
    await second.wait_awareness(first.client, None)
    await second.edit(("text.insert", 0, "still "))
    await second.wait_saved()
    assert (await second.state())["connections"] == 1


@both_versions
async def test_document_that_was_left_is_opened_again_on_the_same_socket(site: Site, version: int) -> None:
    alice = site.person("alice")
    room = alice.create_room()
    provider = await site.join_document(alice, room, version=version)
    await provider.detach()
    other = await site.join(alice, room, process=1)
    await other.edit(("text.insert", 0, "meanwhile"))
    await provider.attach()
    await provider.wait_content("text", "meanwhile")
    assert (await provider.state())["connections"] == 1


@both_versions
async def test_stateless_reaches_hocuspocus_providers_of_all_processes(site: Site, version: int) -> None:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    sender = await site.join_document(alice, room, version=version)
    receiver = await site.join_document(bob, room, version=7 - version, process=1)
    websocket = await site.join(bob, room)
    await sender.send_stateless('{"saved": true}')
    await receiver.wait_stateless('{"saved": true}')
    await sender.edit(("text.insert", 0, "goes on"))
    await websocket.wait_equal(sender, receiver)
    assert "stateless" not in {event["type"] for event in await sender.events()}


@both_versions
async def test_server_asks_for_a_newer_token_before_the_old_one_ends(
    new_site: Callable[..., Site], version: int
) -> None:
    site = new_site(ACCESS_TOKEN_LIFETIME_S="3")
    alice = site.person("alice")
    room = alice.create_room()
    alice.sign_in()
    provider = await site.join_document(alice, room, version=version)
    await asyncio.sleep(1)  # tokens end at whole seconds, and the next one should end later
    for _ in range(2):
        since = (await provider.state())["events"]
        alice.sign_in()
        await provider.set_token(alice.access)
        await provider.wait_event("authenticated", since=since)
    assert (await provider.state())["connections"] == 1

    closed = await provider.wait_closed(4401)  # it has given the same token again since
    denied = await provider.wait_event("denied", since=closed["next"])
    alice.sign_in()
    await provider.send_token(alice.access)
    await provider.wait_event("authenticated", since=denied["next"])
    assert (await provider.state())["connections"] == 2


@both_versions
async def test_what_was_said_to_be_saved_survives_a_kill(new_site: Callable[..., Site], version: int) -> None:
    site = new_site()
    alice = site.person("alice")
    room = alice.create_room()
    text = ""
    for round_number in range(3):
        provider = await site.join_document(alice, room, version=version)
        for _ in range(5):
            await provider.edit(("text.insert", len(text), f"{round_number}"))
            text += f"{round_number}"
        await provider.wait_saved()
        site.server().kill()
        await provider.destroy()
        await asyncio.to_thread(site.server().start)
        assert await text_for_newcomer(site, alice, room) == text


async def text_for_newcomer(site: Site, person: Person, room: str) -> str:
    content = await site.content_for_newcomer(person, room)
    return str(content["text"])


def status_frame(room: str, status: int) -> str:
    return bytes([len(room), *room.encode(), 8, status]).hex()
