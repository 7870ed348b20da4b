"""What a live room sends to all its connections in this process.

An update goes out at the end of the turn of the event loop in which it came in. Where broadcasts take too
much of the time, a room pauses between them: what comes in meanwhile goes out as one, built once for all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping

from collab.engine.connection import Clocks, Connection, Lacks, brought_by, send_to_all
from collab.engine.document import join_updates
from collab.engine.gate import ParsedUpdate
from collab.engine.hocuspocus import create_stateless_message
from collab.engine.meter import Meter
from collab.engine.protocol import create_update_message

#: Structs and deleted ranges in updates that go out as one; beyond, joining costs more than it saves.
MAX_JOINED_PARTS = 2_000
#: Their bytes: longer ones are not copied once more.
MAX_JOINED_BYTES = 256 * 1024
#: The part of the time that a room may spend on broadcasts in the long run, and what it may at once.
BROADCAST_PERCENT = 25
BROADCAST_BURST_S = 0.02
#: Shorter pauses are none: the event loop's timers count milliseconds.
MIN_PAUSE_S = 0.001


#: An update, and the connection that brought it, if one did.
News = tuple[ParsedUpdate, Connection | None]


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
        self._news: list[News] = []
        self._flush_is_due = False

    def join(self, connection: Connection) -> None:
        """A connection has joined the room."""
        if connection.wants_echo:
            self._echoed[connection.id] = connection

    def leave(self, connection: Connection) -> None:
        """A connection has left the room."""
        self._echoed.pop(connection.id, None)

    def tell(self, update: ParsedUpdate, author: Connection | None) -> None:
        """Send an update soon, but not to its author or who waits for what is saved."""
        self._news.append((update, author))
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
            for group in _grouped(news):
                self._send_updates(group)
        self._flush_presence()

    def _send_updates(self, news: list[News]) -> None:
        """One frame for all that is new, to everyone but the one connection it all came from."""
        sources = {author.id if author is not None else None for _, author in news}
        only_source = sources.pop() if len(sources) == 1 else None
        receivers = [
            connection
            for connection in self._connections.values()
            if connection.id != only_source and not connection.wants_echo
        ]
        if receivers:
            send_to_all(receivers, *_joined([update for update, _ in news]))

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


def _grouped(news: list[News]) -> Iterator[list[News]]:
    """News in their order, in groups that are short enough to be joined; a long one is alone."""
    group: list[News] = []
    parts = size = 0
    for one in news:
        update, _ = one
        parts += update.parts
        size += len(update.data)
        if group and (parts > MAX_JOINED_PARTS or size > MAX_JOINED_BYTES):
            yield group
            group, parts, size = [], update.parts, len(update.data)
        group.append(one)
    yield group


def _joined(updates: list[ParsedUpdate]) -> tuple[bytes, Lacks]:
    if len(updates) == 1:
        return create_update_message(updates[0].data), brought_by(updates[0])
    first_clocks: Clocks = {}
    for update in updates:
        for client, clock in update.first_clocks.items():
            first_clocks[client] = min(clock, first_clocks.get(client, clock))
    return create_update_message(join_updates(updates)), first_clocks
