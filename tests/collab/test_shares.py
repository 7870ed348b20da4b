"""What a user may take of the event loop's time, over all connections, and what a fault costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from collab.engine.meter import BURST_S, FAULT_S, UserMeters
from collab.live import LiveEngine
from collab.models import Room
from tests.collab.client import YjsClient
from tests.collab.hocuspocus.client import HocuspocusDocument
from tests.collab.hocuspocus.scenes import document, y_websocket
from tests.engine.scripted import FakeClock
from tests.factories import add_to_room, make_room, make_user

pytestmark = pytest.mark.django_db(transaction=True)

ComeIn = Callable[[Room, User], AbstractAsyncContextManager[Any]]
SCENES = pytest.mark.parametrize("come_in", [y_websocket, document], ids=["y-websocket", "hocuspocus"])


@pytest.fixture
def user(transactional_db: None) -> User:
    return make_user()


@pytest.fixture
def room(user: User) -> Room:
    return make_room(owner=user)


@pytest.fixture
def meters(engine: LiveEngine, clock: FakeClock) -> UserMeters:
    """Of users who earn nothing while the test goes on."""
    engine.meters = UserMeters(engine.limits.work_percent, clock)
    return engine.meters


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def send_malformed(client: YjsClient | HocuspocusDocument) -> None:
    """Send what closes the socket, and wait for that."""
    if isinstance(client, HocuspocusDocument):
        await client.send(b"\x00\xff")
        communicator = client.socket.communicator
    else:
        communicator = client.communicator
        await communicator.send_bytes(b"\x00\xff")
    assert (await communicator.receive_close())[0] == 4400


@SCENES
async def test_user_who_has_taken_too_much_waits_at_the_door_and_nobody_else(
    room: Room, user: User, meters: UserMeters, come_in: ComeIn
) -> None:
    other = await sync_to_async(make_user)()
    await sync_to_async(add_to_room)(room, other, "editor")
    meters.of(user.pk).charge(BURST_S + 0.2)  # 2 s of a share of a tenth

    async def enter() -> None:
        async with come_in(room, user):
            pass

    waiting = asyncio.create_task(enter())
    async with come_in(room, other):
        assert not waiting.done()
    await waiting


@SCENES
async def test_frame_that_closes_a_connection_is_charged_to_its_user(
    room: Room, user: User, meters: UserMeters, engine: LiveEngine, come_in: ComeIn
) -> None:
    meter = meters.of(user.pk)
    async with come_in(room, user) as client:
        meter.charge(BURST_S)
        before = meter.pause_s()
        await send_malformed(client)
    assert meter.pause_s() - before >= FAULT_S * 100 / engine.limits.work_percent


async def test_connections_of_a_user_share_one_meter(room: Room, user: User, meters: UserMeters) -> None:
    async with y_websocket(room, user) as first, document(room, user):
        before = meters.of(user.pk)
        before.charge(BURST_S)
        await first.synchronize()
        assert before.pause_s() > 0
