"""One client's line into a live room: what it may do, and a bounded outbox.

A client that reads too slowly is not buffered without end and never loses an update silently: past
the bound the queue is dropped, and when the line takes data again one difference brings the client
level, computed from the state it was last known to have.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from collab.engine.awareness import Owner
from collab.engine.errors import CollabError, LimitError
from collab.engine.flags import Flag
from collab.engine.gate import ParsedUpdate
from collab.engine.identity import Identity
from collab.engine.joined import JoinedUpdate
from collab.engine.limits import Limits
from collab.engine.meter import MessageRate, Meter
from collab.engine.outlet import MAX_OUTLET_BYTES, Outlet
from collab.engine.pieces import Data
from collab.engine.protocol import create_permission_denied_message

logger = logging.getLogger("collab.connection")


NOT_ANY_MORE = "You may read this room, but not change it any more."
#: What a waiting frame costs beside its bytes.
_FRAME_BYTES = 64
#: Clients whose clocks are noted for one update; whose update of more is dropped gets everything.
MAX_NOTED_CLIENTS = 512

Clocks = dict[int, int]


@dataclass(frozen=True, slots=True)
class Since:
    """All that somebody lacks who has this state vector."""

    known: Mapping[int, int]


EVERYTHING = Since({})
NOTHING: Clocks = {}
#: What a receiver has to be sent again if a frame is dropped: of each Yjs client everything from a clock on.
Lacks = Clocks | Since


def brought_by(update: ParsedUpdate | JoinedUpdate) -> Lacks:
    """What a receiver lacks that was not sent this update."""
    return EVERYTHING if update.client_count > MAX_NOTED_CLIENTS else update.first_clocks


class Transport(Protocol):
    """The way to one client; `send` and `close` wait while the client does not read.

    Attributes:
        outlet: what need not wait goes there, behind `head`, with which `send` begins every frame.
    """

    outlet: Outlet
    head: bytes

    async def send(self, frame: Data) -> None: ...

    async def close(self, code: int, reason: str) -> None: ...

    def abort(self, code: int, reason: str) -> None:
        """Close without waiting, and end a `send` that waits with an `OSError`; does nothing if it can't."""

    def progress(self) -> int:
        """Grows while the client takes a long frame; always the same where that can't be seen."""


class Connection:
    """A client in a live room, which speaks y-websocket; `HocuspocusConnection` is another one.

    The outbox is drained by the task that runs `drain()`; everything else is called from the event
    loop and does not wait. While nothing is in the outbox, a frame goes past it.

    Args:
        transport: the way to the client.
        user_id: who it is; none for an anonymous one.
        can_write: whether its updates are taken in. May change while it is open.
        wants_echo: send it every update, its own too, once that is saved and not before.
        clock: seconds, monotonic.
        meter: around everything that is done for it; by default one of its own.
    """

    #: Whether each question of the client is answered with one of ours, instead of one when it joins.
    asks_in_turn = False

    __slots__ = (
        "_behind",
        "_clock",
        "_closed",
        "_ending",
        "_last_sent_at",
        "_limits",
        "_progress",
        "_queue",
        "_queued_bytes",
        "_rate",
        "_sending_since",
        "_transport",
        "_work",
        "can_write",
        "catch_up",
        "confirmation",
        "head",
        "id",
        "identity",
        "is_closed",
        "is_idle",
        "known_now",
        "meter",
        "on_renamed",
        "on_write_denied",
        "outlet",
        "owner",
        "user_id",
        "wants_echo",
        "was_sent",
    )

    def __init__(
        self,
        transport: Transport,
        limits: Limits,
        *,
        user_id: UUID | None = None,
        can_write: bool = True,
        wants_echo: bool = False,
        clock: Callable[[], float],
        meter: Meter | None = None,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.owner = Owner(self.id, None if user_id is None else str(user_id))
        self.user_id = user_id
        self.can_write = can_write
        self.wants_echo = wants_echo
        #: Who it is to the others; none: what the client says of itself.
        self.identity: Identity | None = None
        self.is_closed = False
        self.meter = meter or Meter(limits.work_percent, clock)
        #: Set while its access is in doubt: writes wait for it.
        self.confirmation: asyncio.Event | None = None
        self.catch_up: Callable[[Mapping[int, int]], Awaitable[list[Data]]] = _nothing
        self.known_now: Callable[[], Mapping[int, int]] = dict
        #: Told of each write that was not taken in because `can_write` is false.
        self.on_write_denied: Callable[[], None] = lambda: None
        #: Told of the user's name whenever access was asked for again.
        self.on_renamed: Callable[[str], None] = lambda name: None
        self.outlet = transport.outlet
        self.head = transport.head
        #: Whether it is open, and `drain()` runs and has nothing to send.
        self.is_idle = False
        #: Whether something was sent past `drain()` since `is_silent` was asked.
        self.was_sent = False
        self._transport = transport
        self._limits = limits
        self._clock = clock
        self._queue: deque[tuple[Data, Lacks]] | tuple[()] = ()  # an empty deque takes 760 bytes
        self._queued_bytes = 0
        self._behind: _Behind | None = None
        self._work = Flag()
        self._ending: tuple[CollabError, bytes | None] | None = None
        self._sending_since: float | None = None
        self._progress = 0
        self._last_sent_at = clock()
        self._rate = MessageRate(limits.messages_per_s, limits.message_burst, clock)
        self._closed: asyncio.Event | None = None  # made when somebody waits for it

    def identify(self, identity: Identity | None) -> None:
        """Have the states that it sends from now on show who it is.

        Without a `user_id` of its own, whose connection it is follows from the identity, too.
        """
        self.identity = identity
        if self.user_id is None:
            self.owner = Owner(self.id, None if identity is None else identity.user_id)

    def count_message(self) -> None:
        """Count a message of the client.

        Raises:
            LimitError: it sends more than its rate and burst allow.
        """
        if not self._rate.allows_one():
            raise LimitError(f"More than {self._limits.messages_per_s} messages a second.")

    async def pace(self) -> bool:
        """Wait as long as the connection has taken more than its share; whether it is still open then.

        Ends at once when it is closed.
        """
        pause_s = self.meter.pause_s()
        if pause_s and not self.is_closed:
            if self._closed is None:
                self._closed = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._closed.wait()
        return not self.is_closed

    def send(self, frame: Data, lacks: Lacks = NOTHING) -> None:
        """Send a frame at once, or queue it.

        Args:
            lacks: what the receiver has to be sent again if the queue is dropped.
        """
        send_to_all((self,), frame, lacks)

    def enqueue(self, frame: Data, lacks: Lacks) -> None:
        """Have a frame sent behind all that waits already, see `send`."""
        if self.is_closed:
            return
        if self._behind is not None:
            self._behind.owe(lacks)
            return
        self.is_idle = False
        if not isinstance(self._queue, deque):
            self._queue = deque()
        self._queue.append((frame, lacks))
        self._queued_bytes += len(frame) + _FRAME_BYTES
        if self._queued_bytes > self._limits.outbox_bytes and len(self._queue) > 1:
            self._fall_behind()
        self._work.set()

    @property
    def is_behind(self) -> bool:
        """Whether the queue was dropped: what is lacking is computed when the line takes data again."""
        return self._behind is not None

    def owe(self, lacks: Lacks) -> None:
        """Have it sent when a connection that is behind is brought level."""
        if self._behind is not None:
            self._behind.owe(lacks)

    def _fall_behind(self) -> None:
        self._behind = _Behind(self.known_now())
        for _, lacks in self._queue:
            self._behind.owe(lacks)
        self._queue = ()
        self._queued_bytes = 0

    def ask(self, question: bytes, *, in_turn: bool = False) -> None:
        """Send a SyncStep1; `in_turn` where the client has just sent one."""
        self.send(question)

    def send_foreign(self, frame: bytes) -> None:
        """Send a message of an application's own."""
        self.send(frame)

    def send_stateless(self, message: bytes) -> None:
        """Send a message that only Hocuspocus knows; nothing where the client does not."""

    def allow_writing(self, *, is_allowed: bool) -> None:
        """Take its updates in from now on, or refuse them; a client that loses the right is told at once."""
        if self.can_write and not is_allowed:
            self.send(create_permission_denied_message(NOT_ANY_MORE))
        self.can_write = is_allowed

    def changes_in(self, *, is_answer: bool) -> int:
        """How many changes the client waits to be told of as saved, with the update that it has just sent.

        Args:
            is_answer: whether that was a SyncStep2.
        """
        return 0

    def confirm(self, changes: int) -> None:
        """Tell the client that so many changes are saved."""

    def deny(self, reason: str, changes: int = 0) -> None:
        """Tell the client that a write was not taken in, and with it `changes` that it counts."""
        self.send(create_permission_denied_message(reason))

    def deny_writing(self, reason: str, changes: int = 0) -> None:
        """Tell the client that it may not write, and whoever wants to know that it tried."""
        self.deny(reason, changes)
        self.on_write_denied()

    def denial_message(self, reason: str) -> bytes:
        """What the client is told before it is sent away."""
        return create_permission_denied_message(reason)

    def close(self, error: CollabError, *, is_denial: bool = False) -> None:
        """End the connection: nothing that is queued is sent any more, only the reason and the close."""
        if self.is_closed:
            return
        self.is_closed = True
        self.is_idle = False
        if self._closed is not None:
            self._closed.set()
        self._queue = ()
        self._queued_bytes = 0
        self._behind = None
        self._ending = error, self.denial_message(error.reason) if is_denial else None
        self._work.set()

    def abort(self, error: CollabError) -> None:
        """End a connection whose client does not read: nobody waits for that any more."""
        self.close(error)
        self._transport.abort(error.close_code, error.reason)

    def is_stuck(self, patience_s: float) -> bool:
        """Whether the client has not read anything for `patience_s`, with something waiting for it.

        To be asked more often than that.
        """
        if self._sending_since is None:
            return False
        progress = self._transport.progress()
        if progress != self._progress:
            self._progress = progress
            self._sending_since = self._clock()
        return self._clock() - self._sending_since > patience_s

    def is_silent(self, interval_s: float) -> bool:
        """Whether nothing was sent for `interval_s` and nothing is about to be; to be asked often."""
        if self.was_sent:
            self.was_sent = False
            self._last_sent_at = self._clock()
        return self._sending_since is None and self._clock() - self._last_sent_at > interval_s

    async def drain(self) -> None:
        """Send what is queued, until the connection is closed or the client has gone.

        Cancelling loses what is queued and leaves the transport as it is.
        """
        while True:
            if self._queue:
                frame, _ = self._queue.popleft()
                self._queued_bytes -= len(frame) + _FRAME_BYTES
                await self._send(frame)
            elif self._behind is not None:
                await self.pace()
                await self._bring_level()
            elif self._ending is not None:
                error, last_frame = self._ending
                if last_frame is not None:
                    await self._send(last_frame)
                await self._transport.close(error.close_code, error.reason)
                return
            else:
                self.is_idle = True
                self._queue = ()
                self._work.clear()
                await self._work.wait()

    async def _bring_level(self) -> None:
        """Send what the client lacks now. What comes while that is encoded is queued behind it, as ever."""
        behind, self._behind = self._behind, None
        if behind is None:  # it was closed meanwhile
            return
        for frame in await self._frames_to_catch_up(behind.known()):
            if not self.is_closed:
                await self._send(frame)

    async def _frames_to_catch_up(self, known: Mapping[int, int]) -> list[Data]:
        return await self.catch_up(known)

    async def _send(self, frame: Data) -> None:
        self._sending_since = self._clock()
        try:
            await self._transport.send(frame)
        finally:
            self._last_sent_at = self._clock()
            self._sending_since = None


def send_to_all(connections: Iterable[Connection], frame: Data, lacks: Lacks = NOTHING) -> None:
    """Send a frame to each of them at once, or queue it: with little between two writes."""
    short = frame if isinstance(frame, bytes) and len(frame) <= MAX_OUTLET_BYTES else None
    framed: dict[bytes, bytes] = {}
    for connection in connections:
        write = connection.outlet.write if connection.is_idle else None
        if write is None or short is None:
            connection.enqueue(frame, lacks)
            continue
        data = framed.get(connection.head)
        if data is None:
            data = framed[connection.head] = connection.outlet.framed(connection.head, short)
        write(data)
        connection.was_sent = True


class _Behind:
    """What a client knows whose queue was dropped: what it knew then, of some Yjs clients less.

    That it knew may be shared with others, and of 20,000 clients: it is never copied here.
    """

    __slots__ = ("_knew", "_lowered")

    def __init__(self, knew: Mapping[int, int]) -> None:
        self._knew = knew
        self._lowered: Clocks = {}

    def owe(self, lacks: Lacks) -> None:
        """It is not sent this. Who asks knows what they say they know, and lacks all else."""
        if isinstance(lacks, Since):
            self._knew, self._lowered = lacks.known, {}
            return
        for client, clock in lacks.items():
            if clock < self._lowered.get(client, self._knew.get(client, 0)):
                self._lowered[client] = clock

    def known(self) -> Mapping[int, int]:
        return {**self._knew, **self._lowered} if self._lowered else self._knew


async def _nothing(known: Mapping[int, int]) -> list[Data]:
    return []
