"""Frames that end a socket, and those that keep it alive."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from accounts.models import User
from collab.consumers import hocuspocus as hocuspocus_module
from collab.engine.logged import GONE
from collab.engine.protocol import (
    create_update_message,
)
from collab.live import LiveEngine
from collab.models import Room
from tests.collab.hocuspocus.client import (
    denied_message,
    token_message,
)
from tests.collab.hocuspocus.scenes import (
    document,
    socket,
    token_of,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("engine")]


@pytest.mark.parametrize(
    "frame",
    ["", "00", "0161", "02c32803", "016106026869", "01610801", "0161020100", "0161800000", "01610003020000"],
)
async def test_malformed_frame_closes_4400(room: Room, user: User, frame: str) -> None:
    async with document(room, user) as opened:
        await opened.socket.communicator.send_bytes(bytes.fromhex(frame))
        assert (await opened.socket.receive_close())[0] == 4400


async def test_text_frame_closes_4400() -> None:
    async with socket() as opened:
        await opened.communicator.send_text("{}")
        assert (await opened.receive_close())[0] == 4400


@pytest.mark.parametrize("message", ["00ff", "000203aabbcc", "0102aabb", "0602aabb", "08 01", "09"])
async def test_malformed_message_to_an_open_document_closes_4400(
    room: Room, user: User, message: str
) -> None:
    async with document(room, user) as opened:
        await opened.send(bytes.fromhex(message))
        assert (await opened.socket.receive_close())[0] == 4400


async def test_messages_beyond_the_rate_close_4429(room: Room, user: User, engine: LiveEngine) -> None:
    engine.limits = replace(engine.limits, messages_per_s=1, message_burst=10)
    async with document(room, user) as opened:
        for _ in range(10):
            await opened.send(b"\x03")
        assert (await opened.socket.receive_close())[0] == 4429


async def test_message_that_is_too_big_closes_1009(room: Room, user: User, engine: LiveEngine) -> None:
    async with document(room, user) as opened:
        await opened.send(create_update_message(bytes(engine.limits.max_message_bytes)))
        assert (await opened.socket.receive_close())[0] == 1009


async def test_ping_is_answered_with_a_pong() -> None:
    async with socket() as opened:
        await opened.communicator.send_bytes(b"\x09")
        assert await opened.communicator.receive_bytes() == b"\x0a"


async def test_socket_without_an_open_document_is_kept_alive(
    user: User, engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of somebody who was let in once: providers would come back for ever otherwise."""
    monkeypatch.setattr(hocuspocus_module, "SILENT_S", 0.01)
    engine.limits = replace(engine.limits, auth_timeout_s=1)
    async with socket() as opened:
        room_id = uuid4()
        await opened.send(room_id, token_message(await token_of(user)))
        assert await opened.receive() == (str(room_id), denied_message(GONE))
        assert await opened.communicator.receive_output(timeout=5) == {
            "type": "websocket.send",
            "bytes": bytes.fromhex("00010100"),
        }
