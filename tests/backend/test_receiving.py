"""What the server is sent: in order, at once where nothing is before it, and no more than is taken."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

from backend import server as server_module
from backend.server import PART_BYTES, WRITE_BUFFER_BYTES, ClosingSocket
from tests.support.asgi_server import (
    MIB,
    MakePeer,
    Recorder,
    binary,
    serving,
    stuck_socket,
    until,
)


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


class Taking:
    """Waits where the test says so, and notes what came past its `receive`, and what did not."""

    def __init__(self, refused: bytes = b"") -> None:
        self.refused = refused
        self.taken: list[bytes] = []
        self.received: list[bytes] = []
        self.all: list[bytes] = []
        self.may_go_on = asyncio.Event()
        self.ended = asyncio.Event()
        self.inbox: Any = None

    def take(self, message: bytes) -> bool:
        if message == self.refused:
            return False
        self.taken.append(message)
        self.all.append(message)
        return True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.inbox = scope["extensions"]["gatehouse.line"]["inbox"]
        self.inbox.take = self.take
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            self.received.append(message["bytes"])
            self.all.append(message["bytes"])
            await self.may_go_on.wait()
        self.ended.set()


async def test_message_for_an_application_that_waits_is_taken_at_once(peers: MakePeer) -> None:
    app = Taking()
    async with serving(app) as (_, port):
        peer = await peers(port)
        await peer.read(until=lambda: peer.status)
        peer.send(b"1")
        peer.send(b"2")
        await until(lambda: len(app.taken) == 2)
        peer.leave()
        await asyncio.wait_for(app.ended.wait(), 5)
        assert app.inbox.take is None
    assert (app.taken, app.received) == ([b"1", b"2"], [])


@pytest.mark.usefixtures("quick_goodbye")
async def test_messages_behind_one_that_is_not_taken_wait_for_their_turn(peers: MakePeer) -> None:
    app = Taking(refused=b"2")
    async with serving(app) as (_, port):
        peer = await peers(port)
        await peer.read(until=lambda: peer.status)
        for message in (b"1", b"2", b"3"):
            peer.send(message)
        await until(lambda: app.received)
        peer.send(b"4")
        await asyncio.sleep(0.1)
        assert (app.taken, app.received) == ([b"1"], [b"2"])
        app.may_go_on.set()
        await until(lambda: len(app.all) == 4)
    assert app.all == [b"1", b"2", b"3", b"4"]
    assert app.received[:2] == [b"2", b"3"]


@pytest.mark.usefixtures("quick_goodbye")
async def test_long_message_and_one_in_parts_are_not_taken_at_once(peers: MakePeer) -> None:
    app = Taking()
    app.may_go_on.set()
    async with serving(app) as (_, port):
        peer = await peers(port)
        await peer.read(until=lambda: peer.status)
        peer.send(bytes(PART_BYTES + 1))
        await until(lambda: app.received)
        peer.protocol.send_binary(b"in ", fin=False)
        peer.protocol.send_continuation(b"parts", fin=True)
        await peer.send_raw(b"".join(peer.protocol.data_to_send()))
        await until(lambda: len(app.received) == 2)
    assert (app.taken, app.received) == ([], [bytes(PART_BYTES + 1), b"in parts"])


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
