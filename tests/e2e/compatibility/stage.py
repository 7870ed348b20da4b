"""One case on its stage: people, rooms and clients of the kinds that are tried."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Self

import jwt

from tests.support.api import Person
from tests.support.hocuspocus import HocuspocusProvider
from tests.support.logs import stored_updates
from tests.support.providers import Provider
from tests.support.server import environment
from tests.support.site import Site

_offsets = itertools.count()


@dataclass(frozen=True)
class Kind:
    """A provider of one major version."""

    protocol: str
    version: int

    @property
    def is_hocuspocus(self) -> bool:
        return self.protocol == "hocuspocus"

    @property
    def gives_up_when_refused(self) -> bool:
        """Whether it stops reconnecting after a code from 4400 to 4499."""
        return self == Y3

    @property
    def is_asked_for_tokens(self) -> bool:
        return self.is_hocuspocus and self.version > 2

    def __str__(self) -> str:
        return f"{self.protocol[0]}{self.version}"


Y1, Y2, Y3 = (Kind("y-websocket", version) for version in (1, 2, 3))
H2, H3, H4 = (Kind("hocuspocus", version) for version in (2, 3, 4))
KINDS = (Y1, Y2, Y3, H2, H3, H4)
HOCUSPOCUS = (H2, H3, H4)


def new_socket() -> str:
    """A name for a socket that several providers share."""
    return f"socket {next(_offsets)}"


class Stage:
    """One case: its people, and its clients, each on the next process; all are gone at the end.

    Args:
        database_url: of the installation, to see what is committed.
    """

    def __init__(self, site: Site, database_url: str, *people: Person) -> None:
        self.site = site
        self.owner, self.other, self.stranger = people
        self._database_url = database_url
        self._clients: list[Provider] = []
        self._process = next(_offsets)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        for client in self._clients:
            await client.destroy()

    async def room(self) -> str:
        """A room of the owner."""
        return await asyncio.to_thread(self.owner.create_room)

    async def shared_room(self, role: str = "editor") -> tuple[str, str]:
        """A room in which the other one has this role; and the id of the membership."""
        room = await self.room()
        return room, await asyncio.to_thread(self.owner.share, room, self.other, role)

    async def change_role(self, room: str, member: str, role: str) -> None:
        await asyncio.to_thread(self.owner.change_role, room, member, role)

    async def revoke(self, room: str, member: str) -> None:
        await asyncio.to_thread(self.owner.revoke, room, member)

    async def open(
        self, kind: Kind, person: Person, room: str, *, token: str | None = None, **options: Any
    ) -> Provider:
        """A client, whatever becomes of it."""
        self._process += 1
        server = self.site.server(self._process)
        token = person.access if token is None else token
        client: Provider
        if kind.is_hocuspocus:
            client = await HocuspocusProvider.open_document(
                self.site.node, server.collaboration_url, room, token=token, version=kind.version, **options
            )
        else:
            params = {"token": token, **options.pop("params", {})}
            client = await Provider.open(
                self.site.node, server.socket_url, room, version=kind.version, params=params, **options
            )
        self._clients.append(client)
        return client

    async def join(self, kind: Kind, person: Person, room: str, **options: Any) -> Provider:
        """A client that is synced."""
        client = await self.open(kind, person, room, **options)
        await client.wait_synced()
        return client

    async def join_echoed(self, kind: Kind, person: Person, room: str) -> Provider:
        """A client that is synced, and is told what is saved."""
        return await self.join(
            kind, person, room, **({} if kind.is_hocuspocus else {"params": {"echo": "1"}})
        )

    async def stored(self, room: str) -> Any:
        """What the database alone has of a room."""
        updates = await asyncio.to_thread(stored_updates, self._database_url, room)
        return (await self.site.node.read_updates(updates))["content"]

    async def content_for_newcomer(self, room: str) -> Any:
        newcomer = await self.join(Y3, self.owner, room)
        return await newcomer.read()


async def wait_saved(client: Provider) -> None:
    """Wait until a client from `join_echoed` is told that all it wrote is saved."""
    await (client.wait_saved() if isinstance(client, HocuspocusProvider) else client.wait_echoed())


async def wait_told(client: Provider, room: str, *, frames: int = 0, events: int = 0) -> None:
    """Wait until a client is told that a write was denied, later than so many frames or events."""
    if isinstance(client, HocuspocusProvider):
        status = bytes([len(room), *room.encode(), 8, 0]).hex()
        await client.wait_frame(status, since=frames)
    else:
        assert (await client.wait_denied(since=events))["reason"]


async def count(client: Provider) -> dict[str, int]:
    """How many frames and events there are."""
    state = await client.state()
    return {"frames": state["frames"], "events": state["events"]}


def witness_for(kind: Kind) -> Kind:
    """The newest client of the other protocol."""
    return Y3 if kind.is_hocuspocus else H4


def token_for(person: Person, lifetime_s: float) -> str:
    """The person's token, with another end."""
    claims = jwt.decode(person.access, options={"verify_signature": False})
    key = environment()["SECRET_KEY"]
    return jwt.encode({**claims, "exp": int(time.time() + lifetime_s)}, key, algorithm="HS256")


async def type_until(client: Provider, happens: Awaitable[None]) -> None:
    """Type until something happens, for as long as that is waited for."""
    happened = asyncio.ensure_future(happens)
    while not happened.done():
        await client.edit(("text.insert", 0, "."))
        await asyncio.wait([happened], timeout=0.1)
    await happened


async def give_token(client: Provider, kind: Kind, token: str) -> None:
    """As an application does whose client was sent away for its token."""
    if not isinstance(client, HocuspocusProvider):
        await client.connect(params={"token": token})
        return
    await client.set_token(token)
    await client.connect()
    await client.detach()
    await client.attach()
