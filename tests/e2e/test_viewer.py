"""A viewer reads; whatever a viewer writes changes nothing, and the viewer is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import frames
from tests.support.providers import Provider
from tests.support.site import Site
from tests.support.sockets import RawSocket

DENIED = "0200"


async def room_with_viewer(site: Site) -> tuple[Provider, str]:
    """An editor in a room with some text, which bob may view."""
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "viewer")
    editor = await site.join(alice, room)
    await editor.edit(("text.insert", 0, "by the editor"))
    return editor, room


async def open_viewer_socket(site: Site, room: str) -> RawSocket:
    """A viewer's raw socket that has shaken hands."""
    socket = await site.open_raw(room, token=site.person("bob").access, process=1)
    await socket.send(frames.sync_step_1())
    await socket.wait_frame("0001")
    return socket


async def assert_unchanged(site: Site, editor: Provider, room: str) -> None:
    """The editor, and one who comes now to each process, see what the editor wrote and nothing else."""
    for process in (0, 1):
        newcomer = await site.join(site.person("alice"), room, process=process)
        await newcomer.wait_equal(editor)
        assert await newcomer.text() == "by the editor"


@pytest.mark.parametrize("wrap", [frames.update, frames.sync_step_2])
async def test_viewer_update_frame_changes_nothing_and_is_denied(
    site: Site, wrap: Callable[[str], str]
) -> None:
    editor, room = await room_with_viewer(site)
    socket = await open_viewer_socket(site, room)
    made: dict[str, Any] = await site.node.make_update([("text.insert", 0, "sneaked in")], client=77)
    await socket.send(wrap(made["update"]))
    denied = await socket.wait_frame(DENIED)
    assert frames.denied_reason(denied["hex"])
    await assert_unchanged(site, editor, room)

    await editor.edit(("map.set", "still", "read"))
    await socket.wait_frame("0002", since=denied["next"])


async def test_viewer_deletion_alone_changes_nothing_and_is_denied(site: Site) -> None:
    """A deletion brings no new content: a filter that compares state vectors lets it through."""
    editor, room = await room_with_viewer(site)
    socket = await open_viewer_socket(site, room)
    base = (await editor.state())["update"]
    made = await site.node.make_update([("text.delete", 0, 13)], base=base, client=78)
    await socket.send(frames.sync_step_2(made["update"]))
    await socket.wait_frame(DENIED)
    await assert_unchanged(site, editor, room)


async def test_viewer_sync_step_2_without_news_is_accepted_in_silence(site: Site) -> None:
    """Every client answers the opening handshake with one."""
    editor, room = await room_with_viewer(site)
    viewer = await site.join(site.person("bob"), room, process=1)
    await viewer.wait_content("text", "by the editor")
    await viewer.disconnect()
    await viewer.connect()
    await viewer.wait_synced()
    await editor.edit(("text.insert", 13, "!"))
    await viewer.wait_equal(editor)
    assert "denied" not in {event["type"] for event in await viewer.events()}


async def test_viewer_overlong_message_type_closes_4400_and_changes_nothing(site: Site) -> None:
    """JavaScript reads `80 00` as 0: a filter on the first byte does not see a sync message."""
    editor, room = await room_with_viewer(site)
    made = await site.node.make_update([("text.insert", 0, "sneaked in")], client=79)
    for overlong in ("800002", "80800002", "008200"):
        socket = await open_viewer_socket(site, room)
        await socket.send(overlong + frames.var_bytes(made["update"]))
        assert (await socket.wait_close())["code"] == 4400
    await assert_unchanged(site, editor, room)


async def test_viewer_that_writes_is_in_the_audit_trail_once(site: Site) -> None:
    _, room = await room_with_viewer(site)
    alice, bob = site.people("alice", "bob")
    socket = await open_viewer_socket(site, room)
    made = await site.node.make_update([("text.insert", 0, "sneaked in")], client=77)
    seen = 0
    for _ in range(3):
        await socket.send(frames.update(made["update"]))
        seen = (await socket.wait_frame(DENIED, since=seen))["next"]
    while not (told := alice.request("GET", f"rooms/{room}/audit/?action=write.denied")["results"]):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    assert [(entry["actor"]["id"], entry["address"]) for entry in told] == [(bob.id, "127.0.0.1")]
