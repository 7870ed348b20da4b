"""What a socket may send before its tokens were checked."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from collab.consumers import hocuspocus as hocuspocus_module
from collab.consumers.document import NO_TOKEN_IN_TIME
from collab.consumers.hocuspocus import UNAUTHENTICATED
from collab.engine.protocol import (
    create_update_message,
)
from collab.live import LiveEngine
from collab.models import Room
from tests.collab.hocuspocus.client import (
    LEAVE,
    SAVED,
    token_message,
)
from tests.collab.hocuspocus.scenes import (
    QUESTION,
    document,
    socket,
    token_of,
)
from tests.engine.builders import typed
from tests.factories import make_room

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("engine")]


async def test_socket_that_nobody_authenticates_closes_4408(engine: LiveEngine) -> None:
    engine.limits = replace(engine.limits, auth_timeout_s=0)
    async with socket() as opened:
        assert await opened.receive_close() == (4408, UNAUTHENTICATED)


async def test_document_whose_token_does_not_come_closes_4408(
    room: Room, user: User, engine: LiveEngine
) -> None:
    async with document(room, user) as opened:
        engine.limits = replace(engine.limits, auth_timeout_s=0)
        await opened.socket.send(uuid4(), QUESTION)
        assert await opened.socket.receive_close() == (4408, NO_TOKEN_IN_TIME)


async def test_too_many_bytes_before_their_tokens_close_4429(engine: LiveEngine) -> None:
    """Of all documents of the socket together."""
    engine.limits = replace(engine.limits, max_unauthenticated_bytes=3000)
    first, second = uuid4(), uuid4()
    async with socket() as opened:
        await opened.send(first, create_update_message(bytes(1400)))
        await opened.send(second, create_update_message(bytes(1400)))
        assert await opened.is_quiet()
        await opened.send(first, create_update_message(bytes(200)))
        assert (await opened.receive_close())[0] == 4429


async def test_too_many_documents_before_their_tokens_close_4429(engine: LiveEngine) -> None:
    async with socket() as opened:
        for _ in range(engine.limits.max_unauthenticated_rooms):
            await opened.send(uuid4(), QUESTION)
        assert await opened.is_quiet()
        await opened.send(uuid4(), QUESTION)
        assert (await opened.receive_close())[0] == 4429


async def test_as_many_documents_as_there_are_may_come_with_their_tokens_at_once(
    user: User, engine: LiveEngine
) -> None:
    """Those beyond the limit wait until others were checked; no honest client is sent away."""
    engine.limits = replace(engine.limits, max_unauthenticated_rooms=3, max_unauthenticated_bytes=200)
    rooms = [await sync_to_async(make_room)(editor=user) for _ in range(12)]
    token = await token_of(user)
    async with socket() as opened:
        for room in rooms:
            await opened.send(room.pk, token_message(token))
            await opened.send(room.pk, create_update_message(typed(7, "x" * 300)))
        confirmed = set()
        while len(confirmed) < len(rooms):
            address, message = await opened.receive()
            if message == SAVED:
                confirmed.add(address)
    assert confirmed == {str(room.pk) for room in rooms}


async def test_document_that_is_left_before_its_token_came_waits_for_none(
    room: Room, user: User, engine: LiveEngine
) -> None:
    async with document(room, user) as opened:
        engine.limits = replace(engine.limits, max_unauthenticated_rooms=1)
        for _ in range(3):
            address = uuid4()
            await opened.socket.send(address, QUESTION)
            await opened.socket.send(address, LEAVE)
        assert await opened.socket.is_quiet()


async def test_messages_that_are_for_no_open_document_are_counted(engine: LiveEngine) -> None:
    engine.limits = replace(engine.limits, messages_per_s=1, message_burst=10)
    async with socket() as opened:
        for _ in range(11):
            await opened.communicator.send_bytes(b"\x0a")
        assert (await opened.receive_close())[0] == 4429


async def test_too_many_refused_documents_close_4429(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hocuspocus_module, "MAX_REFUSED", 2)
    token = await token_of(user)
    async with socket() as opened:
        for _ in range(3):
            await opened.send(uuid4(), token_message(token))
        assert (await opened.receive_close())[0] == 4429
