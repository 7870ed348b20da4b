"""The server on a free port in the test's own event loop, and the other ends of its sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import uvicorn
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from backend.server import ClosingSocket

MIB = 1024 * 1024
App = Callable[
    [dict[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Awaitable[None]
]


async def until(is_true: Callable[[], object]) -> None:
    """Wait until it is so; what other threads and the kernel do tells of itself by no event."""
    async with asyncio.timeout(10):
        while not is_true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def stuck_socket(server: uvicorn.Server) -> ClosingSocket:
    """The server's end of its one connection, when no more can be written to it."""
    found: list[ClosingSocket] = []

    def find() -> bool:
        found[:] = [one for one in server.server_state.connections if isinstance(one, ClosingSocket)]
        return bool(found) and not found[0].writable.is_set()

    await until(find)
    return found[0]


class Peer:
    """The other end of a socket, which reads when the test says so; `closed` has code and reason."""

    def __init__(self, port: int, path: str = "ws/room") -> None:
        self.uri = parse_uri(f"ws://127.0.0.1:{port}/{path}")
        self.protocol = ClientProtocol(self.uri, max_size=None)
        self.messages: list[bytes] = []
        self.status = 0
        self.headers: Any = None
        self.pongs = 0
        self.is_reset = False
        self._parts: list[bytes] = []

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.uri.port, limit=1024)
        self.protocol.send_request(self.protocol.connect())
        self._flush()

    def _flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self._writer.write(data)

    def send(self, message: bytes) -> None:
        self.protocol.send_binary(message)
        self._flush()

    async def send_raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def read(self, *, until: Callable[[], object] = lambda: False) -> None:
        """Read until that is so, or there is nothing more."""
        while not until():
            try:
                data = await self._reader.read(MIB)
            except ConnectionError:
                self.is_reset = True
                return
            if not data:
                return
            self.protocol.receive_data(data)
            with suppress(InvalidHandshake):
                self._handle_events()
            self._flush()

    def _handle_events(self) -> None:
        for event in self.protocol.events_received():
            match event:
                case Response():
                    self.status, self.headers = event.status_code, event.headers
                case Frame(opcode=Opcode.BINARY | Opcode.CONT):
                    self._parts.append(bytes(event.data))
                    if event.fin:
                        self.messages.append(b"".join(self._parts))
                        self._parts.clear()
                case Frame(opcode=Opcode.PONG):
                    self.pongs += 1

    @property
    def closed(self) -> tuple[int, str] | None:
        """Code and reason of the close frame that came."""
        close = self.protocol.close_rcvd
        return None if close is None else (close.code, close.reason)

    def close(self) -> None:
        self.protocol.send_close(1000)
        self._flush()

    def leave(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def serving(app: App, **options: Any) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """The server on a free port; at its end it is drained like a process is."""
    config = uvicorn.Config(
        app,
        port=0,
        ws=ClosingSocket,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=5,
        **options,
    )
    server = NoSignals(config)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


class NoSignals(uvicorn.Server):
    """Leaves the signals to the test run."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


MakePeer = Callable[[int], Awaitable[Peer]]


class Recorder:
    """An application that accepts, does what the test says, and notes how sending ended."""

    def __init__(
        self, act: Callable[[dict[str, Any], Callable[..., Awaitable[None]]], Awaitable[None]]
    ) -> None:
        self._act = act
        self.scope: dict[str, Any] = {}
        self.received: list[bytes] = []
        self.failures: list[Exception] = []
        self.failed = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self, scope: Any, receive: Callable[..., Awaitable[Any]], send: Any) -> None:
        self.scope = scope
        await send({"type": "websocket.accept"})
        self.acting = acting = asyncio.create_task(self._run(scope, send))
        while (message := await receive())["type"] != "websocket.disconnect":
            if message["type"] == "websocket.receive":
                self.received.append(message["bytes"])
        with suppress(asyncio.CancelledError):
            await acting
        self.ended.set()

    async def _run(self, scope: Any, send: Any) -> None:
        try:
            await self._act(scope, send)
        except OSError as error:
            self.failures.append(error)
            self.failed.set()


def binary(size: int, value: int = 1) -> dict[str, Any]:
    return {"type": "websocket.send", "bytes": bytes((value,)) * size}
