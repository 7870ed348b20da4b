"""What the server sends: whole, in order, and at once where nothing is before it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from backend import server as server_module
from backend.server import WRITE_BUFFER_BYTES
from tests.support.asgi_server import (
    MIB,
    MakePeer,
    Recorder,
    binary,
    serving,
    stuck_socket,
    until,
)


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
