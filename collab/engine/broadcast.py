"""What a live room sends to all its connections in this process.

An update goes out at the end of the turn of the event loop in which it came in. Where broadcasts take too
much of the time, a room pauses between them: what comes in meanwhile goes out as one, built once for all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from collab.engine.connection import Connection, brought_by, send_to_all
from collab.engine.gate import ParsedUpdate
from collab.engine.hocuspocus import create_stateless_message
from collab.engine.joined import JoinedUpdate
from collab.engine.meter import Meter
from collab.engine.protocol import create_update_message

#: The part of the time that a room may spend on broadcasts in the long run, and what it may at once.
BROADCAST_PERCENT = 25
BROADCAST_BURST_S = 0.02
#: Shorter pauses are none: the event loop's timers count milliseconds.
MIN_PAUSE_S = 0.001


class _News(JoinedUpdate):
    """Updates that go out as one frame, to all but `only_author`: none where several wrote, or the server."""

    __slots__ = ("only_author",)

    def __init__(self, update: ParsedUpdate, author: Connection | None) -> None:
        super().__init__(update)
        self.only_author = author


class Broadcast:
    """See the module.

    Args:
        connections: those of the room in this process, by id; the room changes the mapping.
        flush_presence: sends what is new of who is there.
        clock, timer: as for `Meter`.
    """

    def __init__(
        self,
        connections: Mapping[str, Connection],
        flush_presence: Callable[[], None],
        clock: Callable[[], float],
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._connections = connections
        self._flush_presence = flush_presence
        self._meter = Meter(BROADCAST_PERCENT, clock, timer, burst_s=BROADCAST_BURST_S)
        #: Those who are sent what is saved, and nothing before; mostly nobody.
        self._echoed: dict[str, Connection] = {}
        self._news: list[_News] = []
        self._flush_is_due = False

    def join(self, connection: Connection) -> None:
        """A connection has joined the room."""
        if connection.wants_echo:
            self._echoed[connection.id] = connection

    def leave(self, connection: Connection) -> None:
        """A connection has left the room."""
        self._echoed.pop(connection.id, None)

    @property
    def has_echo(self) -> bool:
        """Whether anybody is to be sent what is saved."""
        return bool(self._echoed)

    def tell(self, update: ParsedUpdate, author: Connection | None) -> None:
        """Send an update soon, but not to its author or who waits for what is saved."""
        if not self._news or not self._news[-1].add(update):
            self._news.append(_News(update, author))
        elif self._news[-1].only_author is not author:
            self._news[-1].only_author = None
        self.flush_soon()

    def flush_soon(self) -> None:
        """Have everything that is new sent at the end of this turn, or of the pause."""
        if self._flush_is_due:
            return
        self._flush_is_due = True
        pause_s = self._meter.pause_s()
        if pause_s < MIN_PAUSE_S:
            asyncio.get_running_loop().call_soon(self._flush)
        else:
            asyncio.get_running_loop().call_later(pause_s, self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        with self._meter:
            self._send_news()

    def _send_news(self) -> None:
        if self._news:
            news, self._news = self._news, []
            for one in news:
                self._send_updates(one)
        self._flush_presence()

    def _send_updates(self, news: _News) -> None:
        """One frame for all that is new, to everyone but the one connection it all came from."""
        receivers = [
            connection
            for connection in self._connections.values()
            if connection is not news.only_author and not connection.wants_echo
        ]
        if receivers:
            send_to_all(receivers, create_update_message(news.encode()), brought_by(news))

    def echo(self, update: ParsedUpdate) -> None:
        """Send what is saved to those who asked for that.

        They are sent nothing before: what they wrote may come back to them by someone else, and would
        look like the echo that promises it is saved.
        """
        if self._echoed:
            send_to_all(self._echoed.values(), create_update_message(update.data), brought_by(update))

    def send_foreign(self, frame: bytes) -> None:
        """Send a frame as it is to every connection here that speaks y-websocket."""
        for connection in self._connections.values():
            connection.send_foreign(frame)

    def send_stateless(self, payload: str, author: Connection | None = None) -> None:
        """Send an application's message to every connection here that speaks Hocuspocus, but its author."""
        message = create_stateless_message(payload)
        for connection in self._connections.values():
            if connection is not author:
                connection.send_stateless(message)
