"""The ASGI server: uvicorn with its sans-I/O WebSockets, and sockets that are drained at the end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.supervisors import Multiprocess
from websockets.protocol import State

from collab.engine.errors import ResetError
from collab.engine.limits import Limits

PING_INTERVAL_S = 20
#: A client that answers no ping for so long is gone; one that only reads slowly gets its chance.
PING_TIMEOUT_S = 60
#: How long the end of the process waits for clients to say goodbye, and for open requests.
GOODBYE_S = 3
SHUTDOWN_S = 10

DRAINING = "The server is going down; come back at once."


class ClosingSocket(WebSocketsSansIOProtocol):
    """Says why it closes, and gives the client the time to hear it.

    At the end of the process it closes with 4205, and still takes in what the client sent before it
    knew. On a message that is too big or not WebSocket, it reads on without looking: a connection
    that is torn down with bytes unread resets, and the client would never see the close code.
    """

    def shutdown(self) -> None:
        if self.close_sent or self.conn.state is not State.OPEN:
            super().shutdown()
            return
        self.stop_keepalive()
        self.conn.send_close(ResetError.close_code, DRAINING)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_timer = self.loop.call_later(GOODBYE_S, self.transport.close)

    def handle_parser_exception(self) -> None:
        if self.close_sent or self.conn.close_sent is None:
            return
        self.close_sent = True
        self.stop_keepalive()
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(GOODBYE_S, self.transport.close)


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


def serve(host: str, port: int, workers: int, limits: Limits) -> None:
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
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    if workers == 1:
        uvicorn.Server(config).run()
    else:
        Multiprocess(config, sockets=[config.bind_socket()]).run()
