"""Bytes that no client sends close the socket they came on, and hurt nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.hostile import MALFORMED, WELL_FORMED_BUT_HARMFUL
from tests.support import frames
from tests.support.providers import Provider
from tests.support.site import Site
from tests.support.sockets import RawSocket

MAX_MESSAGE_BYTES = 4 * 1024 * 1024

BROKEN_FRAMES = {
    "empty": "",
    "unknown type": "63",
    "unknown sync type": "0009" + frames.var_bytes("0000"),
    "sync without type": "00",
    "truncated length": "0002ff",
    "truncated payload": "00020a0000",
    "length past the end": "0002ffffffff0f00",
    "bytes after the payload": frames.update(frames.EMPTY_UPDATE) + "00",
    "bytes after the state vector": frames.sync_step_1() + "00",
    "bytes inside after the update": frames.update(frames.EMPTY_UPDATE + "00"),
    "two messages in one frame": frames.sync_step_1() + frames.sync_step_1(),
    "number without end": "0002" + "ff" * 20,
    "awareness without content": "01",
    "awareness that is not JSON": "01" + frames.var_bytes("0101" + "01" + "017b"),
    "permission denied from a client": "0200" + frames.var_bytes(b"no".hex()),
}


async def room_with_writer(site: Site) -> tuple[Provider, str]:
    """Alice's client in a room with text, into which mallory may write."""
    alice, mallory = site.people("alice", "mallory")
    room = alice.create_room()
    alice.share(room, mallory, "editor")
    writer = await site.join(alice, room)
    await writer.edit(("text.insert", 0, "good"))
    return writer, room


async def attack(site: Site, room: str, *sent: str) -> RawSocket:
    """An editor's socket that has shaken hands and then sends these frames."""
    socket = await site.open_raw(room, token=site.person("mallory").access, process=1)
    await socket.send(frames.sync_step_1())
    await socket.wait_frame("0001")
    for frame in sent:
        await socket.send(frame)
    return socket


async def assert_unharmed(site: Site, writer: Provider, room: str) -> None:
    """The writer goes on, on the same socket, and one who comes now gets the document."""
    witness = await site.join(site.person("alice"), room, process=1)
    await witness.wait_content("text", "good")
    await writer.edit(("text.insert", 4, " still"))
    await witness.wait_content("text", "good still")
    assert (await site.content_for_newcomer(site.person("alice"), room))["text"] == "good still"
    assert (await writer.state())["connections"] == 1
    assert all(server.is_running() for server in site.servers)


@pytest.mark.parametrize("kind", BROKEN_FRAMES)
async def test_broken_frame_closes_only_its_socket_4400(site: Site, kind: str) -> None:
    writer, room = await room_with_writer(site)
    socket = await attack(site, room, BROKEN_FRAMES[kind])
    assert (await socket.wait_close())["code"] == 4400
    await assert_unharmed(site, writer, room)


async def test_text_frame_closes_only_its_socket_4400(site: Site) -> None:
    writer, room = await room_with_writer(site)
    socket = await attack(site, room)
    await socket.send_text("hello")
    assert (await socket.wait_close())["code"] == 4400
    await assert_unharmed(site, writer, room)


@pytest.mark.parametrize("wrap", [frames.update, frames.sync_step_2, frames.sync_step_1])
@pytest.mark.parametrize("number", range(len(MALFORMED)))
async def test_hostile_bytes_close_only_their_socket_4400(
    site: Site, wrap: Callable[[str], str], number: int
) -> None:
    writer, room = await room_with_writer(site)
    socket = await attack(site, room, wrap(MALFORMED[number]))
    assert (await socket.wait_close())["code"] == 4400
    await assert_unharmed(site, writer, room)


@pytest.mark.parametrize("wrap", [frames.update, frames.sync_step_2])
@pytest.mark.parametrize("number", range(len(WELL_FORMED_BUT_HARMFUL)))
async def test_well_formed_but_harmful_updates_hurt_nobody(
    site: Site, wrap: Callable[[str], str], number: int
) -> None:
    writer, room = await room_with_writer(site)
    await attack(site, room, *map(wrap, WELL_FORMED_BUT_HARMFUL[number]))
    await assert_unharmed(site, writer, room)


async def test_message_too_big_closes_only_its_socket_1009(site: Site) -> None:
    writer, room = await room_with_writer(site)
    socket = await attack(site, room, "00" * (MAX_MESSAGE_BYTES + 1))
    assert (await socket.wait_close())["code"] == 1009
    await assert_unharmed(site, writer, room)
