"""Real Hocuspocus providers, v3 and v4, among themselves and in one room with y-websocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.support.api import Person
from tests.support.site import Site

both_versions = pytest.mark.parametrize("version", [3, 4])


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
