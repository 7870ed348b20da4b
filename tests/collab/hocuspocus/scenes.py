"""Sockets and documents of `HocuspocusConsumer`, and what is done beside them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from django.urls import path
from rest_framework_simplejwt.tokens import AccessToken

from accounts.middleware import JWTAuthMiddleware
from accounts.models import User
from collab.consumers import HocuspocusConsumer, RoomConsumer
from collab.engine.protocol import (
    create_sync_step_1_message,
)
from collab.models import LiveConnection, Room, RoomRole
from collab.services.members import change_room_member_role, remove_room_member
from tests.collab.client import YjsClient, connected
from tests.collab.hocuspocus.client import (
    HocuspocusDocument,
    HocuspocusSocket,
)
from tests.engine.builders import state_vector

application = JWTAuthMiddleware(
    URLRouter(
        [
            path("collaboration", HocuspocusConsumer.as_asgi()),
            path("ws/<str:room>", RoomConsumer.as_asgi()),
        ]
    )
)
QUESTION = create_sync_step_1_message(state_vector({}))


@sync_to_async
def token_of(user: User, *, lifetime_s: int | None = None) -> str:
    token = AccessToken.for_user(user)
    if lifetime_s is not None:
        token.payload["exp"] = int(time.time()) + lifetime_s  # claims are whole seconds
    return str(token)


@asynccontextmanager
async def socket(query: str = "", **scope: object) -> AsyncIterator[HocuspocusSocket]:
    opened = await HocuspocusSocket.open(application, query, **scope)
    yield opened
    await opened.disconnect()


@asynccontextmanager
async def document(room: Room, user: User) -> AsyncIterator[HocuspocusDocument]:
    """A document that is level, alone on its socket."""
    async with socket() as opened:
        opened_document = HocuspocusDocument(opened, room.pk)
        await opened_document.open(await token_of(user))
        yield opened_document


@asynccontextmanager
async def y_websocket(room: Room, user: User) -> AsyncIterator[YjsClient]:
    async with connected(application, f"ws/{room.pk}?token={await token_of(user)}") as client:
        yield client


async def in_roster(room: Room, count: int) -> list[LiveConnection]:
    """Those who are connected, when there are so many."""
    rows = LiveConnection.objects.filter(room=room)
    while await rows.acount() != count:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return [row async for row in rows]


@sync_to_async
def make_role(room: Room, owner: User, user: User, role: RoomRole) -> None:
    member = room.members.get(user=user)
    change_room_member_role(actor=owner, room_id=room.pk, member_id=member.pk, role=role)


@sync_to_async
def revoke(room: Room, owner: User, user: User) -> None:
    remove_room_member(actor=owner, room_id=room.pk, member_id=room.members.get(user=user).pk)
