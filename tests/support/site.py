"""One installation under test: its server processes, its people, and how clients join a room."""

from __future__ import annotations

from typing import Any

from tests.support.api import PASSWORD, Person
from tests.support.hocuspocus import HocuspocusProvider
from tests.support.node import Node
from tests.support.providers import Provider
from tests.support.server import Server
from tests.support.sockets import RawSocket


class Site:
    """People speak REST to the first process; each client chooses a process by its number."""

    def __init__(self, node: Node, *servers: Server) -> None:
        self.node = node
        self.servers = servers
        self._people: dict[str, Person] = {}
        for server in servers:
            server.secrets.add(PASSWORD)

    def server(self, process: int = 0) -> Server:
        return self.servers[process % len(self.servers)]

    def start(self) -> None:
        for server in self.servers:
            server.start()

    def stop(self) -> None:
        for server in self.servers:
            if server.is_running():
                server.terminate()
        self.check_logs()

    def check_logs(self) -> None:
        """No traceback and no secret in any log since the last check."""
        for server in self.servers:
            server.check_log()

    def person(self, name: str) -> Person:
        """The same person for the same name; registering costs a slow hash each time."""
        if name not in self._people:
            self._people[name] = Person.register(self.server().url, name)
        return self._people[name]

    def people(self, *names: str) -> list[Person]:
        return [self.person(name) for name in names]

    async def open(
        self, person: Person, room: str, *, process: int = 0, version: int = 3, **params: str
    ) -> Provider:
        """A y-websocket client, whatever becomes of it; `params` stand in its URL beside the token."""
        return await Provider.open(
            self.node,
            self.server(process).socket_url,
            room,
            version=version,
            params={"token": person.access, **params},
        )

    async def roam(self, person: Person, room: str, *, process: int = 0, **params: str) -> Provider:
        """A y-websocket client that is synced, and goes to the next process whenever its line closes."""
        url, *others = [
            self.server(process + number).socket_url for number in range(max(1, len(self.servers)))
        ]
        provider = await Provider.open(
            self.node, url, room, others=others, params={"token": person.access, **params}
        )
        await provider.wait_synced()
        return provider

    async def join(self, person: Person, room: str, *, process: int = 0, **params: str) -> Provider:
        """A y-websocket client that is synced."""
        provider = await self.open(person, room, process=process, **params)
        await provider.wait_synced()
        return provider

    async def open_document(
        self, person: Person, room: str, *, process: int = 0, **options: Any
    ) -> HocuspocusProvider:
        """A Hocuspocus client, whatever becomes of it; `options` as of `HocuspocusProvider.open_document`."""
        url = self.server(process).collaboration_url
        return await HocuspocusProvider.open_document(
            self.node, url, room, **{"token": person.access, **options}
        )

    async def join_document(
        self, person: Person, room: str, *, process: int = 0, **options: Any
    ) -> HocuspocusProvider:
        """A Hocuspocus client that is synced, with nothing that is not saved."""
        provider = await self.open_document(person, room, process=process, **options)
        await provider.wait_saved()
        return provider

    async def open_raw(
        self, room: str, *, token: str = "", process: int = 0, query: str = "", **options: Any
    ) -> RawSocket:
        """A plain socket; the token, if any, travels in a header."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})
        url = f"{self.server(process).socket_url}/{room}{query}"
        return await RawSocket.open(self.node, url, headers=headers, **options)

    async def content_for_newcomer(
        self, person: Person, room: str, *, process: int = 0, shape: dict[str, str] | None = None
    ) -> Any:
        """What a client that never saw the room before finds in it."""
        newcomer = await self.join(person, room, process=process)
        content = await newcomer.read(shape)
        await newcomer.destroy()
        return content
