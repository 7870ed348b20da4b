"""A room and its clients, whose frames come in by one of two ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collab.engine.awareness import AwarenessEntry, encode_awareness
from collab.engine.limits import Limits
from collab.engine.ports import RelayMessage
from collab.engine.protocol import create_awareness_message
from collab.engine.reception import receive, receive_at_once
from collab.engine.room import LiveRoom
from tests.engine.builders import typed
from tests.engine.scripted import Client, FakeClock, NoReplication, turns

HELLO = typed(7, "hello")


class Scene:
    """A room and those who are in it; `published` is what other processes would hear."""

    def __init__(self, clock: FakeClock, limits: Limits, *, tries_at_once: bool) -> None:
        self.clock = clock
        self.tries_at_once = tries_at_once
        self.limits = limits
        self.replication = NoReplication()
        self.published: list[RelayMessage] = []
        self.room = LiveRoom("room", self.replication, self.published.append, limits, clock)
        self.clients: list[Client] = []

    async def join(self, **options: Any) -> Client:
        """Let a client in; what it was greeted with is forgotten."""
        joining = Client(self.clock, self.limits, **options)
        self.clients.append(joining)
        self.room.join(joining.connection)
        await turns()
        joining.frames.clear()
        return joining

    async def send(self, sender: Client, frame: bytes) -> None:
        if not (self.tries_at_once and receive_at_once(self.room, sender.connection, frame)):
            await receive(self.room, sender.connection, frame)
        await turns()


MakeScene = Callable[..., Scene]


def presence(*entries: tuple[int, int, bytes]) -> bytes:
    return create_awareness_message(encode_awareness([AwarenessEntry(*entry) for entry in entries]))
