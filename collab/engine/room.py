"""A live room: one room's document and its connections in this process.

Everything between two `await`s happens at once, so that a room needs no lock. What its clients send is in
`reception`, what goes out to all in `broadcast`, what one who asks is told of the document in `answers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Protocol
from uuid import UUID

from collab.engine.answers import Answers
from collab.engine.broadcast import Broadcast
from collab.engine.connection import Connection, brought_by
from collab.engine.document import Document
from collab.engine.errors import CollabError, RoomFullError, UpdateRefusedError
from collab.engine.gate import SHORT_BYTES, ParsedUpdate, parse_update, parse_update_in_slices
from collab.engine.joined import MAX_JOINED_PARTS
from collab.engine.limits import Limits
from collab.engine.pieces import Data
from collab.engine.plans import Plan
from collab.engine.ports import (
    BroadcastFrame,
    PresenceChanged,
    PresenceQuestion,
    Publish,
    RelayMessage,
    StatelessMessage,
)
from collab.engine.presence import RoomPresence
from collab.engine.protocol import create_update_message
from collab.engine.slices import NO_METER, Meter, finish_in_slices, keep_up

FULL = "The room has as many connections as are allowed."
FULL_FOR_USER = "You have as many connections to this room as are allowed."


class Replication(Protocol):
    """How a room's updates are kept, and shared with the other processes that have it open."""

    async def open(self, room: LiveRoom) -> None:
        """Bring the room to what is known; raises a `CollabError` where that can't be done."""

    def check_accepting(self) -> None:
        """Raise `UnavailableError` if another update could not be kept."""

    def record(
        self,
        room: LiveRoom,
        update: ParsedUpdate,
        author_id: UUID | None,
        on_saved: Callable[[], None] | None,
    ) -> None:
        """Keep an update the room has taken in; `on_saved` is called when no crash can lose it."""

    def when_saved(self, room: LiveRoom, call: Callable[[], None]) -> None:
        """Call when everything recorded so far is saved."""

    def received(self, room: LiveRoom, message: RelayMessage) -> None:
        """Another process has said something about the room's document."""

    def is_settled(self, room: LiveRoom) -> bool:
        """Whether nothing that was recorded waits to be saved."""

    async def heal(self, rooms: list[LiveRoom]) -> None:
        """Find and fetch what messages that were lost would have brought."""

    async def close(self, room: LiveRoom) -> None:
        """The room is left and no longer in memory after this."""


class Follower(Protocol):
    """Something that is told every update the room takes in."""

    def apply(self, update: bytes) -> None: ...


class LiveRoom:
    """See the module. `name` is what group, key and log use; each of `followers` is told every update."""

    def __init__(
        self,
        name: str,
        replication: Replication,
        publish: Publish,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.document = Document()
        self.connections: dict[str, Connection] = {}
        self._broadcast = Broadcast(self.connections, self._flush_presence, clock)
        self.presence = RoomPresence(
            room_name=name,
            connections=self.connections,
            publish=publish,
            flush_soon=self._broadcast.flush_soon,
            limits=limits,
            clock=clock,
        )
        self.is_closed = False
        #: Who is about to join: the room must not be closed under them.
        self.visitors = 0
        self.followers: list[Follower] = []
        self._replication = replication
        self._publish = publish
        self.limits = limits
        self.answers = Answers(lambda: self.document)

    # -- connections

    def join(self, connection: Connection) -> None:
        """Let a connection in and greet it.

        Raises:
            RoomFullError: the room, or this user in it, has as many connections as are allowed.
        """
        if len(self.connections) >= self.limits.max_connections_per_room:
            raise RoomFullError(FULL)
        if connection.user_id is not None:
            own = sum(1 for other in self.connections.values() if other.user_id == connection.user_id)
            if own >= self.limits.max_connections_per_user_and_room:
                raise RoomFullError(FULL_FOR_USER)
        self.connections[connection.id] = connection
        self._broadcast.join(connection)
        connection.catch_up = partial(self._catch_up, connection.meter)
        connection.known_now = self.answers.known_now
        if not connection.asks_in_turn:
            connection.ask(self.answers.question())
        self.presence.send_to(connection)

    async def prepare_question(self) -> None:
        """Have most of the work done that a join takes where thousands of clients are known."""
        await self.answers.prepare_question()

    def leave(self, connection: Connection) -> None:
        """Forget a connection and take its presence away; harmless if it has left already."""
        if self.connections.pop(connection.id, None) is not None:
            self._broadcast.leave(connection)
            self.presence.leave(connection)

    def allow_writing(self, connection: Connection, *, is_allowed: bool) -> None:
        """Open or close a connection for writing; what was denied to it before is asked for again."""
        could_write = connection.can_write
        connection.allow_writing(is_allowed=is_allowed)
        if is_allowed and not could_write:
            connection.ask(self.answers.question())

    def close_connection(
        self, connection: Connection, error: CollabError, *, is_denial: bool = False
    ) -> None:
        """End a connection from our side: from here on its frames have no effect."""
        self.leave(connection)
        connection.close(error, is_denial=is_denial)

    def abort_connection(self, connection: Connection, error: CollabError) -> None:
        """End a connection whose client does not read."""
        self.leave(connection)
        connection.abort(error)

    def close_all(self, error: CollabError, *, is_denial: bool = False) -> None:
        for connection in list(self.connections.values()):
            self.close_connection(connection, error, is_denial=is_denial)

    def end(self) -> None:
        """The room is no longer in memory; let go of what may hold on to it in turn."""
        self.is_closed = True
        self.followers.clear()

    # -- what comes in

    async def parse(self, data: bytes, meter: Meter | None = None) -> ParsedUpdate:
        """Pass an update through the gate, a long one in slices, each of them metered."""
        meter = meter or NO_METER
        if len(data) <= SHORT_BYTES:
            with meter:
                return parse_update(data, self.limits.max_structs_per_update)
        return await parse_update_in_slices(data, self.limits.max_structs_per_update, meter)

    def planning(self, update: ParsedUpdate) -> AbstractContextManager[Plan | None]:
        """A plan to take the update in, see `Document.planning`; none for a short one."""
        if len(update.data) <= SHORT_BYTES:
            return nullcontext()
        return self.document.planning(update)

    def take_in(
        self,
        update: ParsedUpdate,
        author: Connection | None = None,
        on_saved: Callable[[], None] | None = None,
        plan: Plan | None = None,
    ) -> None:
        """Take in an update of a connection, or of the server itself, and pass it on.

        Args:
            on_saved: called when all of it is saved, also where it is not new.
            plan: of a long update, see `Document.planning`.

        Raises:
            UpdateRefusedError: the document would be too big.
            UnavailableError: it could not be kept.
        """
        self._replication.check_accepting()
        too_big = self.document.size_bytes + len(update.data) > self.limits.max_document_bytes
        if too_big and not self.document.contains(update, plan):
            raise UpdateRefusedError(f"The document has reached {self.limits.max_document_bytes} bytes.")
        if self.document.take_in(update, plan):
            self.answers.changed()
            self._tell(update, author)
            author_id = author.user_id if author is not None else None
            on_echo = partial(self._broadcast.echo, update) if self._broadcast.has_echo else None
            self._replication.record(self, update, author_id, on_echo)
        elif author is not None and author.wants_echo and update.parts:
            frame = create_update_message(update.data)
            self.when_saved(lambda: author.send(frame, brought_by(update)))
        if on_saved is not None:
            self.when_saved(on_saved)

    async def absorb_in_slices(self, data: bytes) -> None:
        """As `absorb`, for an update of any length, letting the event loop go on meanwhile.

        Raises:
            MalformedError: it is no update.
        """
        update = await parse_update_in_slices(data)
        while True:
            document = self.document
            with self.planning(update) as plan:
                await keep_up(plan, NO_METER)
                if self.document is document:  # else compaction has put another in its place
                    self.absorb(update, plan)
                    break
        await let_go(update, plan)

    def absorb(self, update: ParsedUpdate, plan: Plan | None = None) -> None:
        """Take in what the log or another process already has, and pass it on here."""
        if self.document.take_in(update, plan):
            self.answers.changed()
            self._tell(update, None)
            self._broadcast.echo(update)

    def when_saved(self, call: Callable[[], None]) -> None:
        """Call when everything that was taken in so far is saved."""
        self._replication.when_saved(self, call)

    # -- what goes out

    def _tell(self, update: ParsedUpdate, author: Connection | None) -> None:
        for follower in self.followers:
            follower.apply(update.data)
        self._broadcast.tell(update, author)

    def broadcast(self, frame: bytes) -> None:
        """Send a frame as it is to every connection here that speaks y-websocket."""
        self._broadcast.send_foreign(frame)

    def broadcast_everywhere(self, frame: bytes) -> None:
        """Send a frame as it is to every such connection of the room, in all processes."""
        self.broadcast(frame)
        self._publish(BroadcastFrame(self.name, frame))

    def send_stateless(self, payload: str, author: Connection) -> None:
        """Send an application's message to all but its author who speak Hocuspocus, in all processes."""
        self._broadcast.send_stateless(payload, author)
        self._publish(StatelessMessage(self.name, payload))

    def _flush_presence(self) -> None:
        self.presence.flush()

    async def _catch_up(self, meter: Meter, known: Mapping[int, int]) -> list[Data]:
        frames = await self.answers.catch_up(known, meter)
        presence = self.presence.frame()
        return frames if presence is None else [*frames, presence]

    # -- what other processes say

    def received(self, message: RelayMessage) -> None:
        """Handle a message of the relay; what it says of the document goes to the replication."""
        match message:
            case PresenceChanged() | PresenceQuestion():
                self.presence.received(message)
            case BroadcastFrame():
                self.broadcast(message.frame)
            case StatelessMessage():
                self._broadcast.send_stateless(message.payload)
            case _:
                self._replication.received(self, message)


async def let_go(update: ParsedUpdate, plan: Plan | None, meter: Meter = NO_METER) -> None:
    """Free what a long update that was taken in has left, where nobody is about to join it with others."""
    if plan is not None and update.parts > MAX_JOINED_PARTS:
        await finish_in_slices(plan.let_go(), meter)
        await finish_in_slices(update.let_go(), meter)
