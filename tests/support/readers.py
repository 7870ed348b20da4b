"""A client that stops reading as one does whose machine sleeps: its end of the TCP line takes nothing in.

Written apart from the Node clients, whose own buffers can't be kept from reading ahead.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

from tests.support import frames
from tests.support.site import Site


@dataclass
class Reader:
    """A line with one document open. It reads when it is told to, and at no other time.

    Args:
        prefix: what stands before each of its messages (hex): the address in Hocuspocus, else nothing.
    """

    line: ClientConnection
    prefix: str
    messages: list[str] = field(default_factory=list)

    async def send(self, message: str) -> None:
        await self.line.send(bytes.fromhex(self.prefix + message))

    async def read(self) -> str:
        """The next message (hex), without its address.

        Raises:
            ConnectionClosed: there is none.
        """
        frame = await self.line.recv(decode=False)
        self.messages.append(frame.hex().removeprefix(self.prefix))
        return self.messages[-1]

    async def read_until(self, beginning: str) -> str:
        while not (message := await self.read()).startswith(beginning):
            pass
        return message

    async def ask(self) -> None:
        """Ask for everything, and read until it is there."""
        await self.send(frames.sync_step_1())
        await self.read_until("0001")


@asynccontextmanager
async def joined_reader(
    site: Site, protocol: str, token: str, room: str, *, receive_buffer_bytes: int | None = None
) -> AsyncIterator[Reader]:
    """A client of `y-websocket` or `hocuspocus` that has all of the room, and reads nothing more for now.

    Args:
        receive_buffer_bytes: what the system takes in for it beside; by default what it likes.
    """
    server = site.server()
    is_hocuspocus = protocol == "hocuspocus"
    url = server.collaboration_url if is_hocuspocus else f"{server.socket_url}/{room}?token={token}"
    address = urlsplit(url)
    end = socket.socket()
    if receive_buffer_bytes is not None:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    end.connect((address.hostname, address.port))
    end.setblocking(False)
    async with connect(
        url, sock=end, max_queue=1, max_size=None, ping_interval=None, compression=None, close_timeout=1
    ) as line:
        reader = Reader(line, frames.var_bytes(room.encode().hex()) if is_hocuspocus else "")
        if is_hocuspocus:
            await reader.send("0200" + frames.var_bytes(token.encode().hex()))
        await reader.ask()
        yield reader
