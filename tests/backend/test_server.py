"""The server's sockets: a client is told why they end, and one that does not read keeps nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any

import pytest
import uvicorn
from channels.routing import URLRouter
from django.urls import path
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from backend import server as server_module
from backend.server import WRITE_BUFFER_BYTES, ClosingSocket
from collab import live
from collab.consumers import YjsConsumer
from collab.engine import registry
from collab.engine.protocol import (
    SyncStep2,
    create_sync_step_1_message,
    create_update_message,
    decode_message,
)
from collab.live import stop_engine
from tests.engine.builders import client, update, values

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

    def __init__(self, port: int) -> None:
        self.uri = parse_uri(f"ws://127.0.0.1:{port}/ws/room")
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


@pytest.fixture
async def peers() -> AsyncIterator[Callable[[int], Awaitable[Peer]]]:
    opened: list[Peer] = []

    async def make(port: int) -> Peer:
        peer = Peer(port)
        await peer.open()
        opened.append(peer)
        return peer

    yield make
    for peer in opened:
        peer.leave()


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


async def test_messages_of_any_length_arrive_whole_and_in_order(peers: MakePeer) -> None:
    sizes = [1, 65_536, 65_537, 5 * MIB, 2, 3 * MIB, 10]

    async def act(scope: Any, send: Any) -> None:
        await asyncio.gather(*(send(binary(size, number)) for number, size in enumerate(sizes)))
        await send({"type": "websocket.close", "code": 4000})

    async with serving(Recorder(act)) as (_, port):
        peer = await peers(port)
        await peer.read()
    assert peer.messages == [bytes((number,)) * size for number, size in enumerate(sizes)]
    assert peer.closed == (4000, "")


async def test_message_behind_a_head_arrives_as_one_and_in_order(peers: MakePeer) -> None:
    sizes = [0, 65_536, 65_537, 5 * MIB, 2]

    async def act(scope: Any, send: Any) -> None:
        send_behind = scope["extensions"]["gatehouse.line"]["send"]
        await asyncio.gather(
            *(send_behind(b"head", bytes((number,)) * size) for number, size in enumerate(sizes)),
            send(binary(MIB, 9)),
        )
        await send({"type": "websocket.close", "code": 4000})

    async with serving(Recorder(act)) as (_, port):
        peer = await peers(port)
        await peer.read()
    expected = [b"head" + bytes((number,)) * size for number, size in enumerate(sizes)]
    assert peer.messages == [*expected, bytes((9,)) * MIB]


def write_at_once(scope: Any, head: bytes, body: bytes) -> bool:
    outlet = scope["extensions"]["gatehouse.line"]["outlet"]
    if outlet.write is None:
        return False
    outlet.write(outlet.framed(head, body))
    return True


async def test_message_that_need_not_wait_is_written_at_once_and_in_order(peers: MakePeer) -> None:
    written: list[bool] = []

    async def act(scope: Any, send: Any) -> None:
        write = partial(write_at_once, scope)
        written.append(write(b"head", b"1"))
        await send(binary(1, 2))
        written.append(write(b"", b"3"))
        long = asyncio.create_task(send(binary(MIB, 4)))
        await asyncio.sleep(0)
        written.append(write(b"", b"between the parts"))
        await long
        written.append(write(b"head", b"5"))
        await send({"type": "websocket.close", "code": 4000})
        written.append(write(b"", b"after the end"))

    async with serving(Recorder(act)) as (_, port):
        peer = await peers(port)
        await peer.read()
    assert written == [True, True, False, True, False]
    assert peer.messages == [b"head1", b"\x02", b"3", b"\x04" * MIB, b"head5"]


@pytest.mark.usefixtures("quick_goodbye")
async def test_nothing_is_written_at_once_to_a_client_that_does_not_read(peers: MakePeer) -> None:
    async def act(scope: Any, send: Any) -> None:
        while write_at_once(scope, b"", bytes(60_000)):
            await send(binary(1))

    app = Recorder(act)
    async with serving(app) as (server, port):
        await peers(port)
        connection = await stuck_socket(server)
        assert connection.transport.get_write_buffer_size() <= 2 * WRITE_BUFFER_BYTES + 100


async def test_client_that_reads_again_is_written_to_at_once_again(peers: MakePeer) -> None:
    is_full = asyncio.Event()

    async def act(scope: Any, send: Any) -> None:
        while write_at_once(scope, b"", bytes(60_000)):
            pass
        is_full.set()
        await until(lambda: write_at_once(scope, b"", b"again"))

    async with serving(Recorder(act)) as (_, port):
        peer = await peers(port)
        await asyncio.wait_for(is_full.wait(), 5)
        await peer.read(until=lambda: peer.messages[-1:] == [b"again"])
    assert set(peer.messages[:-1]) == {bytes(60_000)}


@pytest.mark.parametrize("end", ["close", "leave"])
async def test_nothing_is_written_at_once_to_a_client_that_has_gone(peers: MakePeer, end: str) -> None:
    gone: list[bool] = []

    async def act(scope: Any, send: Any) -> None:
        gone.append(write_at_once(scope, b"", b"1"))
        await until(lambda: scope["extensions"]["gatehouse.line"]["outlet"].write is None)
        gone.append(write_at_once(scope, b"", b"2"))

    app = Recorder(act)
    async with serving(app) as (_, port):
        peer = await peers(port)
        await peer.read(until=lambda: peer.messages)
        getattr(peer, end)()
        await asyncio.wait_for(app.ended.wait(), 5)
    assert (gone, app.failures) == ([True, False], [])
    assert peer.messages == [b"1"]


async def test_many_messages_that_come_at_once_leave_others_their_turns(peers: MakePeer) -> None:
    turns = 0

    async def act(scope: Any, send: Any) -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    app = Recorder(act)
    async with serving(app) as (_, port):
        peer = await peers(port)
        await peer.read(until=lambda: peer.status)
        before = turns
        for number in range(3_000):
            peer.protocol.send_binary(number.to_bytes(2))
        await peer.send_raw(b"".join(peer.protocol.data_to_send()))
        await until(lambda: len(app.received) == 3_000)
        assert turns - before >= 1_000
        app.acting.cancel()
    assert app.received == [number.to_bytes(2) for number in range(3_000)]


@pytest.mark.usefixtures("quick_goodbye")
async def test_client_that_sends_on_and_on_when_it_is_closed_is_passed_over_and_cut(
    peers: MakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = 0
    parse = WebSocketsSansIOProtocol.data_received

    def counting(self: WebSocketsSansIOProtocol, data: bytes) -> None:
        nonlocal parsed
        parsed += len(data)
        parse(self, data)

    monkeypatch.setattr(WebSocketsSansIOProtocol, "data_received", counting)

    async def act(scope: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 4400})

    async with serving(Recorder(act)) as (_, port):
        peer = await peers(port)
        await peer.read(until=lambda: peer.status)
        with suppress(ConnectionError):
            for _ in range(100):
                await peer.send_raw(bytes(50_000))
        await peer.read()
        assert peer.closed == (4400, "")
        assert parsed < 10_000


@pytest.mark.usefixtures("quick_goodbye")
async def test_messages_that_the_application_does_not_take_stay_with_the_client(peers: MakePeer) -> None:
    async def idle(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.Event().wait()

    async with serving(idle) as (server, port):
        peer = await peers(port)
        await peer.read(until=lambda: peer.status)
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                while True:
                    peer.protocol.send_binary(bytes(60_000))
                    await peer.send_raw(b"".join(peer.protocol.data_to_send()))
        (connection,) = server.server_state.connections
        assert isinstance(connection, ClosingSocket)
        assert 0 < connection.queue.qsize() < 50


@pytest.mark.usefixtures("quick_goodbye")
async def test_client_that_does_not_read_leaves_little_in_the_write_buffer(peers: MakePeer) -> None:
    async def act(scope: Any, send: Any) -> None:
        await send(binary(32 * MIB))

    app = Recorder(act)
    async with serving(app) as (server, port):
        await peers(port)
        connection = await stuck_socket(server)
        assert connection.transport.get_write_buffer_size() <= 2 * WRITE_BUFFER_BYTES + 100
        before = app.scope["extensions"]["gatehouse.line"]["progress"]()
        assert 0 < before < 32 * MIB / server_module.PART_BYTES


@pytest.mark.usefixtures("quick_goodbye")
async def test_aborted_line_ends_the_waiting_send_and_is_cut_soon(peers: MakePeer) -> None:
    async def act(scope: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.3, scope["extensions"]["gatehouse.line"]["abort"], 4205, "Too slow.")
        await send(binary(64 * MIB))

    app = Recorder(act)
    async with serving(app) as (server, port):
        peer = await peers(port)
        await asyncio.wait_for(app.ended.wait(), 5)
        assert len(app.failures) == 1
        await until(lambda: not server.server_state.connections)
        await peer.read()
    assert peer.is_reset or peer.closed is None


async def test_aborted_line_tells_a_client_that_reads_again_in_time(peers: MakePeer) -> None:
    async def act(scope: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.3, scope["extensions"]["gatehouse.line"]["abort"], 4205, "Too slow.")
        await send(binary(64 * MIB))

    app = Recorder(act)
    async with serving(app) as (_, port):
        peer = await peers(port)
        await asyncio.wait_for(app.failed.wait(), 5)
        await peer.read()
    assert peer.closed == (4205, "Too slow.")


@pytest.mark.usefixtures("quick_goodbye")
async def test_client_that_answers_no_ping_and_reads_nothing_is_cut(peers: MakePeer) -> None:
    async def act(scope: Any, send: Any) -> None:
        await send(binary(64 * MIB))

    app = Recorder(act)
    async with serving(app, ws_ping_interval=0.1, ws_ping_timeout=0.3) as (_, port):
        await peers(port)
        await asyncio.wait_for(app.ended.wait(), 5)
    assert len(app.failures) == 1


async def test_client_that_goes_before_it_is_accepted_ends_the_accept(peers: MakePeer) -> None:
    """With an `OSError`, like every other word to a client that has gone."""
    servers: list[uvicorn.Server] = []
    ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for connection in servers[0].server_state.connections:
            connection.transport.close()  # the news of it comes with the next turn of the loop
        try:
            await send({"type": "websocket.accept"})
        except OSError as error:
            ended.set_result(error)
            raise
        ended.set_result(None)

    async with serving(app) as (server, port):
        servers.append(server)
        await peers(port)
        assert await asyncio.wait_for(ended, 5) is not None


async def test_line_that_the_application_left_is_cut_where_the_client_does_not_read(
    peers: MakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "LINGER_S", 0.2)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        with suppress(TimeoutError):
            await asyncio.wait_for(send(binary(64 * MIB)), 0.3)

    async with serving(app) as (server, port):
        peer = await peers(port)
        await peer.read(until=lambda: peer.status)
        await until(lambda: not server.server_state.connections)


@pytest.mark.usefixtures("quick_goodbye")
async def test_pings_of_a_client_that_reads_nothing_pile_up_no_answers(peers: MakePeer) -> None:
    async def act(scope: Any, send: Any) -> None:
        await send(binary(32 * MIB))

    app = Recorder(act)
    async with serving(app) as (server, port):
        peer = await peers(port)
        connection = await stuck_socket(server)
        ping = Frame(Opcode.PING, bytes(125)).serialize(mask=True)
        for _ in range(50):
            await peer.send_raw(ping * 200)
        await peer.send_raw(Frame(Opcode.BINARY, b"the last").serialize(mask=True))
        await until(lambda: app.received)
        assert connection.transport.get_write_buffer_size() <= 2 * WRITE_BUFFER_BYTES + 100


@pytest.mark.usefixtures("quick_goodbye")
async def test_message_in_too_many_parts_closes_1009(
    peers: MakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "MAX_PARTS", 100)

    async def act(scope: Any, send: Any) -> None:
        """Only listens."""

    async with serving(Recorder(act)) as (_, port):
        peer = await peers(port)
        await peer.read(until=lambda: peer.status)
        empty = Frame(Opcode.CONT, b"", fin=False).serialize(mask=True)
        await peer.send_raw(Frame(Opcode.BINARY, b"", fin=False).serialize(mask=True) + empty * 200)
        await peer.read()
    assert peer.closed is not None
    assert peer.closed[0] == 1009


async def test_handshake_that_is_open_when_the_process_ends_is_refused_with_503(peers: MakePeer) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()
    failures: list[Exception] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.set()
        await answer.wait()
        try:
            await send({"type": "websocket.accept"})
        except OSError as error:
            failures.append(error)

    async with serving(app) as (server, port):
        peer = await peers(port)
        await asyncio.wait_for(asked.wait(), 5)
        server.should_exit = True
        await peer.read()
        answer.set()
    assert peer.status == 503
    assert peer.headers["Retry-After"] == "1"
    assert len(failures) == 1


@pytest.mark.usefixtures("quick_sweep")
async def test_client_that_reads_nothing_for_long_is_closed_with_4205(peers: MakePeer) -> None:
    """The whole way, from the sweep of the live rooms to the socket."""
    app = URLRouter([path("ws/<str:room>", YjsConsumer.as_asgi())])
    async with serving(app) as (server, port):
        writer, reader = await peers(port), await peers(port)
        await writer.read(until=lambda: writer.messages)
        await reader.read(until=lambda: reader.messages)
        for clock in range(10):
            blob = values(b"\x74" + b"\x80\x80\x80\x01" + bytes(2 * MIB))
            writer.send(create_update_message(update(client(7, clock, blob))))
        writer.send(create_sync_step_1_message(b"\x00"))
        await writer.read(until=lambda: whole(writer.messages[-1]))
        reader.send(create_sync_step_1_message(b"\x00"))
        await until(lambda: any(is_closing(one) for one in server.server_state.connections))
        await reader.read()
        assert reader.closed == (4205, "You read too slowly.")
        assert writer.closed is None
        await stop_engine()


def is_closing(connection: Any) -> bool:
    return isinstance(connection, ClosingSocket) and connection.close_sent


def whole(message: bytes) -> bool:
    return isinstance(decode_message(message), SyncStep2)


@pytest.fixture
def quick_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "GOODBYE_S", 0.2)


@pytest.fixture
def quick_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "STUCK_S", 0.5)
    monkeypatch.setattr(live, "SWEEP_S", 0.1)
