"""Who is in a live room: takes awareness in from its connections and from other processes, and passes it on.

What a client says is stamped with who it is, once, when it is taken in. What changes within one turn of
the event loop goes out as one message; where more is going on than can be seen, what changes in a
thirtieth of a second does. y-websocket clients send back all they hear: where fifty people move their
cursors, each would have sent more messages than it may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from itertools import islice

from collab.engine.awareness import (
    STEPS,
    Awareness,
    AwarenessEntry,
    Owner,
    decode_awareness,
    encode_awareness,
    walk_awareness,
)
from collab.engine.connection import Connection, send_to_all
from collab.engine.errors import MalformedError
from collab.engine.gate import SHORT_BYTES
from collab.engine.identity import MAX_IDENTITY_BYTES, Identity
from collab.engine.limits import Limits
from collab.engine.meter import MessageRate
from collab.engine.ports import PresenceChanged, PresenceQuestion, Publish
from collab.engine.protocol import create_awareness_message
from collab.engine.slices import finish_in_slices
from collab.engine.states import checked_state

#: So many messages a second go out at once, and so many in a burst; the others are joined.
AT_ONCE_PER_S = 30
BURST = 60
JOIN_S = 1 / 30
#: States in one of these; a millisecond.
MAX_JOINED = 2_000


class RoomPresence:
    """The presence of one room.

    Args:
        connections: those of the room in this process, by id; the room changes the mapping.
        flush_soon: asks the room for a `flush()` at the end of the turn.
    """

    def __init__(
        self,
        *,
        room_name: str,
        connections: Mapping[str, Connection],
        publish: Publish,
        flush_soon: Callable[[], None],
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self.awareness = Awareness(clock)
        self._room_name = room_name
        self._connections = connections
        self._publish = publish
        self._flush_soon = flush_soon
        self._limits = limits
        self._news: dict[int, tuple[AwarenessEntry, str | None]] = {}
        self._frame: bytes | None = None
        self._rate = MessageRate(AT_ONCE_PER_S, BURST, clock)
        self._is_joining = False

    async def receive(self, connection: Connection, data: bytes) -> None:
        """Take in what a client says of itself; a long message is read in slices, and taken in at once.

        Cancelled before that, it leaves nothing behind; what somebody says who leaves meanwhile is nothing.

        Raises:
            MalformedError, LimitError: see `decode_awareness`, `checked_state` and `Awareness.apply`.
        """
        if len(data) <= SHORT_BYTES:
            with connection.meter:
                self.receive_short(connection, data)
            return
        news, missed = await finish_in_slices(self._walk(connection, data), connection.meter)
        if connection.is_closed or connection.id not in self._connections:
            return
        owner = connection.owner
        with connection.meter:
            self._share(self.awareness.apply(news, owner, self._limits.max_client_ids), owner)
            if missed:
                connection.send(create_awareness_message(encode_awareness(missed)))

    def _walk(
        self, connection: Connection, data: bytes
    ) -> Generator[None, None, tuple[list[AwarenessEntry], list[AwarenessEntry]]]:
        """What is news, checked, and the removals that were missed."""
        entries = yield from walk_awareness(data)
        owner, awareness = connection.owner, self.awareness
        news: list[AwarenessEntry] = []
        missed: list[AwarenessEntry] = []
        for first in range(0, len(entries), STEPS):
            some = entries[first : first + STEPS]
            missed += awareness.missed_by(some, owner)
            news += [entry for entry in some if awareness.is_news(entry, owner)]
            yield
        if awareness.count_clients(news, owner) > self._limits.max_client_ids:
            raise MalformedError(f"More than {self._limits.max_client_ids} client ids on one connection.")
        checked = []
        for entry in {entry.client: entry for entry in news}.values():  # the last of each
            state = checked_state(entry.state, self._limits.max_awareness_bytes, connection.identity)
            checked.append(replace(entry, state=state))
            yield
        return checked, missed

    def receive_short(self, connection: Connection, data: bytes) -> None:
        """As `receive`, without a pause."""
        entries = decode_awareness(data)
        owner = connection.owner
        missed = self.awareness.missed_by(entries, owner)
        max_bytes = self._limits.max_awareness_bytes
        self._share(self._apply(entries, owner, max_bytes, connection.identity), owner)
        if missed:
            connection.send(create_awareness_message(encode_awareness(missed)))

    def leave(self, connection: Connection) -> None:
        """Take away what a connection that has gone had said."""
        self._share(self.awareness.remove_connection(connection.id), connection.owner)

    def frame(self) -> bytes | None:
        """Everyone who is there, as a message; none if nobody is. Kept while nothing changes."""
        if self._frame is None:
            awareness = self.awareness.encode()
            self._frame = create_awareness_message(awareness) if awareness else b""
        return self._frame or None

    def send_to(self, connection: Connection) -> None:
        """Tell one connection of everyone; one that is behind is told when it is brought level."""
        frame = None if connection.is_behind else self.frame()
        if frame is not None:
            connection.send(frame)

    def received(self, message: PresenceChanged | PresenceQuestion) -> None:
        """Another process tells of its clients, or asks for ours."""
        if isinstance(message, PresenceChanged):
            owner = Owner(message.connection_id, message.user_id, message.process)
            entries = decode_awareness(message.awareness)
            max_bytes = self._limits.max_awareness_bytes + MAX_IDENTITY_BYTES
            missed = self.awareness.missed_by(entries, owner)
            self._queue(self._apply(entries, owner, max_bytes, None), None)
            if missed:  # its process lets go of the state in its name, and the client says it again
                self._tell_others(missed, owner)
        else:
            for owner, entries in self.awareness.entries_of(self._connections).items():
                self._tell_others(entries, owner)

    def forget_process(self, process: str) -> Generator[None, None, None]:
        """Take away, in slices, what a process that died can no longer take away itself."""
        clients = self.awareness.clients()
        for first in range(0, len(clients), STEPS):
            self._queue(self.awareness.remove_said_by(process, clients[first : first + STEPS]), None)
            yield

    def expire(self) -> None:
        """Take away states that nobody renews."""
        self._queue(self.awareness.expire(self._connections), None)

    def flush(self) -> None:
        """Send what has changed to everyone here, now or a little later."""
        if not self._news or self._is_joining:
            return
        if self._rate.allows_one():
            self._send_news()
        else:
            self._is_joining = True
            asyncio.get_running_loop().call_later(JOIN_S, self._end_joining)

    def _end_joining(self) -> None:
        self._is_joining = False
        self._send_news()

    def _send_news(self) -> None:
        """All of it as one message, if it is not too long, except to the one connection it all came from."""
        news, self._news = self._news, {}
        if len(news) > MAX_JOINED:
            changes = iter(news.items())
            news = dict(islice(changes, MAX_JOINED))
            self._news = dict(changes)
            self._flush_soon()
        sources = {connection_id for _, connection_id in news.values()}
        only_source = sources.pop() if len(sources) == 1 else None
        frame = create_awareness_message(encode_awareness([entry for entry, _ in news.values()]))
        send_to_all([each for each in self._connections.values() if each.id != only_source], frame)

    def _apply(
        self, entries: list[AwarenessEntry], owner: Owner, max_bytes: int, identity: Identity | None
    ) -> list[AwarenessEntry]:
        """Take in what is news, once all of that is known to be good."""
        news = [
            replace(entry, state=checked_state(entry.state, max_bytes, identity))
            for entry in entries
            if self.awareness.is_news(entry, owner)
        ]
        return self.awareness.apply(news, owner, self._limits.max_client_ids)

    def _share(self, entries: list[AwarenessEntry], owner: Owner) -> None:
        if entries:
            self._queue(entries, owner.connection_id)
            self._tell_others(entries, owner)

    def _queue(self, entries: list[AwarenessEntry], connection_id: str | None) -> None:
        if not entries:
            return
        self._frame = None
        for entry in entries:
            self._news[entry.client] = entry, connection_id
        self._flush_soon()

    def _tell_others(self, entries: list[AwarenessEntry], owner: Owner) -> None:
        awareness = encode_awareness(entries)
        self._publish(PresenceChanged(self._room_name, owner.connection_id, owner.user_id, awareness))
