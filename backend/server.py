"""The ASGI server: uvicorn with its sans-I/O WebSockets, and sockets that are drained at the end."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from asyncio.transports import BaseTransport
from http import HTTPStatus

import uvicorn
from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.supervisors import Multiprocess
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State

from backend.inbox import Inbox
from collab.engine.errors import MessageTooBigError, ResetError
from collab.engine.flags import Flag
from collab.engine.limits import Limits
from collab.engine.outlet import MAX_OUTLET_BYTES, Outlet
from collab.engine.pieces import Data

PING_INTERVAL_S = 20
#: A client that answers no ping for so long is gone; one that only reads slowly gets its chance.
PING_TIMEOUT_S = 60
#: How long the end of the process waits for clients to say goodbye, and for open requests.
GOODBYE_S = 3
SHUTDOWN_S = 10
#: How long a line is kept for what its client has still to read, after the application has left it.
LINGER_S = 15
#: Bytes that wait for one client in the process, beside one part; and the longest part of a message.
WRITE_BUFFER_BYTES = 64 * 1024
PART_BYTES = MAX_OUTLET_BYTES
#: What is parsed in one go, and how long that goes on in one turn of the event loop.
PIECE_BYTES = 1024
TURN_S = 0.001
NOTHING = memoryview(b"")
#: What is parsed of a client that is being closed.
MAX_PASSED_OVER_BYTES = 4096
#: Parts in which a client may send one message.
MAX_PARTS = 65_536

#: Its lines for each connection say nothing that the access log does not.
protocol_logger = logging.getLogger("websockets.server")

#: See `keep_long_blocks_apart`; the number is glibc's.
M_MMAP_THRESHOLD = -3
LONG_BLOCK_BYTES = 1024 * 1024

DRAINING = "The server is going down; come back at once."


def framed(head: bytes, body: bytes) -> bytes:
    """The bytes of a WebSocket message."""
    return Frame(Opcode.BINARY, head + body).serialize(mask=False)


class ClosingSocket(WebSocketsSansIOProtocol):
    """Says why it closes, gives the client the time to hear it, and no longer.

    At the end of the process it closes with 4205, and still takes in what the client sent before it
    knew. On a message that is too big or not WebSocket, it reads on without looking: a connection
    that is torn down with bytes unread resets, and the client would never see the close code.

    A client that does not read never keeps the line, or what waits for it: a long message is sent in
    parts as the client takes them, and where the line is to end, it is cut. To the application it
    offers `scope["extensions"]["gatehouse.line"]`, with

        abort(code, reason)   close without waiting: whoever waits in `send` gets an `OSError`
        progress()            grows whenever the client has taken another part
        send(head, body)      one binary message of both, without a copy of a long body
        outlet                what sends a short one at once, where that need not wait
        inbox                 what has a short one handled at once, where its `take` does that
    """

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self.conn.logger = protocol_logger
        self.inbox = Inbox()
        self.queue = self.inbox  # type: ignore[assignment]  # what is used of a queue
        self.writable = Flag()  # type: ignore[assignment]  # what is used of an event
        self.writable.set()
        self.sending = asyncio.Lock()
        self.outlet = Outlet(framed)
        self.parts_sent = 0
        self.arrived = NOTHING  # what the parser has not seen yet
        self.is_taking = False  # whether `take` is about to be called
        self.passed_over = 0

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.set_outlet()
        self.inbox.take = None

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        self.request = event
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            line: dict[object, object] = {
                "abort": self.abort,
                "progress": lambda: self.parts_sent,
                "send": self.send_behind,
                "outlet": self.outlet,
                "inbox": self.inbox,
            }
            self.scope["extensions"]["gatehouse.line"] = line

    # -- sending

    def set_outlet(self) -> None:
        """Open the outlet where a message need not wait, and shut it where it must, or none may follow."""
        is_free = (
            self.handshake_complete
            and self.writable.is_set()
            and not self.sending.locked()
            and not self.disconnected
            and self.conn.state is State.OPEN
        )
        self.outlet.write = self.transport.write if is_free else None

    def pause_writing(self) -> None:
        super().pause_writing()
        self.set_outlet()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.set_outlet()

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] != "websocket.send":
            await super().send(message)
            self.set_outlet()
            if message["type"] == "websocket.accept":
                if not self.handshake_complete:
                    raise ClientDisconnected  # it has just gone; what comes next would be a mistake
                self.request.headers.clear()  # `scope` has them, too
            return
        data = message.get("bytes") or b""
        await self.begin()
        try:
            if len(data) > PART_BYTES and self.handshake_complete and not self.close_sent:
                await self.send_parts(data)
            else:
                await super().send(message)
                self.parts_sent += 1
        finally:
            self.finish()

    async def send_behind(self, head: bytes, body: Data) -> None:
        """Send a message that begins with `head` and goes on with `body`, which others are sent too."""
        if len(body) <= PART_BYTES:
            await self.send({"type": "websocket.send", "bytes": head + bytes(body)})
            return
        await self.begin()
        try:
            await self.send_parts(body, head)
        finally:
            self.finish()

    async def begin(self) -> None:
        """Until `finish` no other message begins: not between two parts, nor before one that waits."""
        await self.sending.acquire()
        self.outlet.write = None

    def finish(self) -> None:
        self.sending.release()
        self.set_outlet()

    async def send_parts(self, data: Data, head: bytes = b"") -> None:
        """Send a long message as WebSocket fragments: what the client does not take is not copied."""
        view = memoryview(data) if isinstance(data, bytes) else data
        for start in range(0, len(data), PART_BYTES):
            await self.writable.wait()
            if self.disconnected or self.conn.state is not State.OPEN:
                raise ClientDisconnected
            stop = start + PART_BYTES
            if start:
                self.conn.send_continuation(view[start:stop], fin=stop >= len(data))
            else:
                self.conn.send_binary(head + view[:stop], fin=False)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.parts_sent += 1
            await asyncio.sleep(0)

    # -- receiving

    def data_received(self, data: bytes) -> None:
        """Parse what comes: a little at once, much of it a piece at a time, see `take`."""
        if self.close_sent:
            self.pass_over(data)
        elif self.is_taking or self.arrived:
            self.arrived = memoryview(bytes(self.arrived) + data)
        elif len(data) > PIECE_BYTES:
            self.arrived = memoryview(data)
            self.take()
        else:
            super().data_received(data)

    def take(self) -> None:
        """Hand what has arrived to the parser, for a moment, and as long as the application keeps up.

        A quarter of a megabyte, which may come at once, can be 40,000 frames.
        """
        self.is_taking = False
        if self.close_sent:
            data, self.arrived = bytes(self.arrived), NOTHING
            self.pass_over(data)
            self.read_on()
            return
        ends_at = time.perf_counter() + TURN_S
        while self.arrived and self.queue.qsize() < 2 and time.perf_counter() < ends_at:
            piece, self.arrived = self.arrived[:PIECE_BYTES], self.arrived[PIECE_BYTES:]
            super().data_received(bytes(piece))
        if not self.arrived:
            self.arrived = NOTHING
            if self.queue.empty():
                self.read_on()
            return
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()
        if self.queue.qsize() < 2:
            self.is_taking = True
            self.loop.call_soon(self.take)

    def pass_over(self, data: bytes) -> None:
        """The close frame is sent. Look for the client's in a little of what comes, and then at nothing.

        Who is closed for what they send may have megabytes of it on the way.
        """
        if self.passed_over < MAX_PASSED_OVER_BYTES:
            self.passed_over += len(data)
            if self.passed_over < MAX_PASSED_OVER_BYTES:
                super().data_received(data)
            else:
                self.loop.call_later(GOODBYE_S, self.transport.abort)

    def read_on(self) -> None:
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    async def receive(self) -> ASGIReceiveEvent:
        """The next message; where more wait, all others have their turn before."""
        message = await self.queue.get()
        if not self.queue.empty():
            await asyncio.sleep(0)
        elif not self.arrived:
            self.read_on()
        elif not self.is_taking:
            self.take()
        return message

    def handle_events(self) -> None:
        """After what came, which may have been the end, no message may follow."""
        super().handle_events()
        if self.conn.state is not State.OPEN:
            self.set_outlet()

    def handle_ping(self) -> None:
        """Answer, unless the client reads nothing: its pings would fill the memory with answers."""
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)

    def handle_bytes(self, event: Frame) -> None:
        """Read on while the application keeps up: to stop and go on costs as much as a short message."""
        if event.fin and self.queue.empty() and not self.close_sent and len(event.data) <= PART_BYTES:
            self.inbox.put_bytes(bytes(event.data))
        else:
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Take another part of a message; empty ones count for nothing in its size, but not for nothing."""
        if self.close_sent:
            return
        if len(self.frames) < MAX_PARTS:
            super().handle_cont(event)
            return
        self.conn.fail(MessageTooBigError.close_code, f"A message may have at most {MAX_PARTS} parts.")
        self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        if self.close_sent or self.conn.close_sent is None:
            return
        self.end()

    # -- the end

    def abort(self, code: int, reason: str) -> None:
        """Close a line whose client does not read; harmless if it is being closed already.

        The close frame stands behind what is buffered, for a client that reads again.
        """
        if not self.close_sent and self.conn.state is State.OPEN:
            self.conn.send_close(code, reason)
            self.end()

    def end(self) -> None:
        """The close frame is made: the application is told, and the client has a moment to read it."""
        assert self.conn.close_sent is not None
        self.close_sent = True
        self.disconnected = True  # for whoever waits to send
        self.writable.set()
        self.stop_keepalive()
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.set_outlet()
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(GOODBYE_S, self.transport.abort)

    def shutdown(self) -> None:
        if self.handshake_complete and not self.close_sent and self.conn.state is State.OPEN:
            self.stop_keepalive()
            self.conn.send_close(ResetError.close_code, DRAINING)
            self.set_outlet()
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_timer = self.loop.call_later(GOODBYE_S, self.transport.abort)
            return
        if self.handshake_complete or self.initial_response is not None:
            super().shutdown()
        else:
            self.refuse_handshake()
        self.loop.call_later(GOODBYE_S, self.transport.abort)

    def refuse_handshake(self) -> None:
        """Nobody knows yet who it is: as with any request, another process may do better."""
        self.disconnected = True
        response = self.conn.reject(HTTPStatus.SERVICE_UNAVAILABLE, DRAINING)
        response.headers["Retry-After"] = "1"
        self.conn.send_response(response)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.set_outlet()
        self.loop.call_later(GOODBYE_S, self.transport.abort)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        if self in self.connections:
            self.loop.call_later(LINGER_S, self.transport.abort)


def set_apart_what_stays() -> None:
    """Tell Python's collector of cycles not to look again and again at what is there at the start and stays.

    To look less often at the rest was tried, since a look takes long where long documents are in memory: what
    closed connections leave then stays for so long that a process grows by 9 KiB for each room it opens.
    """
    gc.collect()
    gc.freeze()


def keep_long_blocks_apart() -> None:
    """Have what is longer than 1 MiB lie in pages of its own, where the C library is glibc.

    It does so at first, but moves the bound up to 32 MiB when such a block is freed. A document that grows
    beyond its block is then copied, which takes up to 16 ms; pages are only mapped somewhere else.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LONG_BLOCK_BYTES)


def end_with_parent() -> None:
    """In a worker: drain and end when the process that looks after it is no more.

    Otherwise the workers of a parent that was killed would hold the port, and be nobody's.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=follow, name="parent", daemon=True).start()


def serve(host: str, port: int, workers: int, limits: Limits, trusted_proxies: list[str]) -> None:
    """Serve until a signal ends it; with more than one worker, each is a process of its own."""
    config = uvicorn.Config(
        "backend.asgi:application",
        host=host,
        port=port,
        workers=workers,
        ws=ClosingSocket,
        ws_max_size=limits.max_message_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=PING_INTERVAL_S,
        ws_ping_timeout=PING_TIMEOUT_S,
        lifespan="on",
        log_config=None,
        server_header=False,
        forwarded_allow_ips=trusted_proxies,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    if workers == 1:
        uvicorn.Server(config).run()
    else:
        Multiprocess(config, sockets=[config.bind_socket()]).run()
