"""Stateless messages, between clients and from synchronous code."""

from __future__ import annotations

from uuid import UUID

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from collab.consumers import send_stateless
from collab.engine.errors import MessageTooBigError
from collab.models import Room
from tests.collab.hocuspocus.client import (
    stateless_message,
)
from tests.collab.hocuspocus.scenes import (
    document,
    y_websocket,
)
from tests.factories import make_room

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("engine")]


async def test_stateless_reaches_the_other_hocuspocus_clients_of_the_room(
    room: Room, user: User, owner: User
) -> None:
    async with (
        document(room, user) as first,
        document(room, owner) as second,
        y_websocket(room, user) as third,
    ):
        await first.send(stateless_message("hello"))
        await second.wait_for(stateless_message("hello"))
        assert await first.socket.is_quiet()
        await second.write("typed")
        assert (await third.communicator.receive_bytes())[:2] == b"\x00\x02", "nothing before that"


async def test_stateless_that_is_too_long_closes_1009(room: Room, user: User) -> None:
    async with document(room, user) as opened:
        await opened.send(stateless_message("x" * 65_537))
        assert (await opened.socket.receive_close())[0] == 1009


async def test_stateless_from_synchronous_code_reaches_the_room(room: Room, user: User) -> None:
    other_room = await sync_to_async(make_room)(editor=user)
    async with document(room, user) as opened, document(other_room, user) as other:
        await sync_to_async(send_stateless)(room.pk, "né")
        await opened.wait_for(stateless_message("né"))
        assert await other.socket.is_quiet()


def test_stateless_from_synchronous_code_is_bounded() -> None:
    with pytest.raises(MessageTooBigError):
        send_stateless(UUID(int=0), "é" * 40_000)
