"""The server's sockets: a client is told why they end, and one that does not read keeps nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
import uvicorn
from channels.routing import URLRouter
from django.urls import path

from backend import server as server_module
from backend.server import ClosingSocket
from collab.consumers import YjsConsumer
from collab.engine.protocol import (
    SyncStep2,
    create_sync_step_1_message,
    create_update_message,
    decode_message,
)
from collab.live import stop_engine
from tests.engine.builders import client, update, values
from tests.support.asgi_server import (
    MIB,
    MakePeer,
    Recorder,
    binary,
    serving,
    until,
)


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
