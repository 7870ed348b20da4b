"""All live rooms of one kind in a process: opened once however many come, closed when idle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator

from collab.engine.connection import Connection
from collab.engine.errors import CollabError, MalformedError, ResetError, UpdateRefusedError
from collab.engine.limits import Limits
from collab.engine.ports import PresenceQuestion, Publish, Relay, RelayMessage
from collab.engine.protocol import KEEP_ALIVE_MESSAGE
from collab.engine.room import LiveRoom, Replication
from collab.engine.slices import Turn, finish_in_slices

logger = logging.getLogger("collab.registry")

#: A room without connections stays open for a moment: a reload or a reconnect finds it warm.
IDLE_S = 10.0
#: A client that reads nothing for so long is sent away.
STUCK_S = 60.0
#: y-websocket gives a line up after 30 s without a frame; the contract says 25.
SILENT_S = 18.0


class Registry:
    """See the module.

    Args:
        replication: how these rooms are kept.
        relay: where messages of other processes come from.
        publish: where ours go.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        replication: Replication,
        relay: Relay,
        publish: Publish,
        limits: Limits,
        clock: Callable[[], float],
        idle_s: float = IDLE_S,
    ) -> None:
        self._replication = replication
        self._relay = relay
        self._publish = publish
        self._limits = limits
        self._clock = clock
        self._idle_s = idle_s
        self._rooms: dict[str, LiveRoom] = {}
        self._opening: dict[str, asyncio.Task[LiveRoom]] = {}
        self._closing: dict[str, asyncio.Task[None]] = {}
        self._ending: CollabError | None = None

    def __iter__(self) -> Iterator[LiveRoom]:
        return iter(list(self._rooms.values()))

    def find(self, name: str) -> LiveRoom | None:
        return self._rooms.get(name)

    async def join(
        self, name: str, connection: Connection, prepare: Callable[[LiveRoom], Awaitable[None]] | None = None
    ) -> LiveRoom:
        """Let a connection into a room, which is opened if it is not.

        Cancelling leaves the opening to the others who wait for it.

        Args:
            prepare: done with the room before the connection is in it.

        Raises:
            CollabError: the room can't be opened, or is full, or everyone is sent away.
        """
        room = await self.open(name)
        room.visitors += 1
        try:
            await room.prepare_question()
            if prepare is not None:
                await prepare(room)
            self._check_open()
            room.join(connection)
        finally:
            room.visitors -= 1
            self._close_when_idle(room)
        return room

    def leave(self, room: LiveRoom, connection: Connection) -> None:
        room.leave(connection)
        self._close_when_idle(room)

    async def open(self, name: str) -> LiveRoom:
        """The live room of that name; however many ask, it is loaded once."""
        while True:
            self._check_open()
            room = self._rooms.get(name)
            if room is not None:
                return room
            opening = self._opening.get(name)
            if opening is None:
                opening = self._opening[name] = asyncio.create_task(self._load(name))
                opening.add_done_callback(lambda task: self._opened(name, task))
            await asyncio.shield(opening)

    def _check_open(self) -> None:
        if self._ending is not None:
            raise self._ending

    def _opened(self, name: str, task: asyncio.Task[LiveRoom]) -> None:
        del self._opening[name]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            level = logging.INFO if isinstance(error, CollabError) else logging.ERROR
            logger.log(level, "Room %s could not be opened: %s", name, error)

    async def _load(self, name: str) -> LiveRoom:
        if name in self._closing:
            await asyncio.wait({self._closing[name]})  # how it ends is not the newcomer's business
        room = LiveRoom(name, self._replication, self._publish, self._limits, self._clock)
        await self._relay.subscribe(name, lambda message: self._received(room, message))
        try:
            await self._replication.open(room)
        except BaseException:
            await self._relay.unsubscribe(name)
            raise
        self._rooms[name] = room
        self._publish(PresenceQuestion(name))
        self._close_when_idle(room)
        return room

    def _received(self, room: LiveRoom, message: RelayMessage) -> None:
        try:
            room.received(message)
        except (MalformedError, UpdateRefusedError) as error:
            logger.warning("Room %s: a message of another process was refused: %s", room.name, error)

    def _close_when_idle(self, room: LiveRoom) -> None:
        if not room.connections and not room.is_closed:
            asyncio.get_running_loop().call_later(self._idle_s, self._close_if_idle, room)

    def _close_if_idle(self, room: LiveRoom) -> None:
        if room.connections or room.visitors or room.is_closed:
            return
        if not self._replication.is_settled(room):
            self._close_when_idle(room)
            return
        room.end()
        del self._rooms[room.name]
        closing = self._closing[room.name] = asyncio.create_task(self._close(room))
        closing.add_done_callback(lambda _: self._closing.pop(room.name))

    async def _close(self, room: LiveRoom) -> None:
        await self._relay.unsubscribe(room.name)
        await self._replication.close(room)

    async def heal(self) -> None:
        """Fetch what lost messages would have brought.

        Raises:
            UnavailableError: the log does not answer.
        """
        rooms = list(self)
        if rooms:
            await self._replication.heal(rooms)

    async def forget_process(self, process: str) -> None:
        """Take the presence of a process that died out of all rooms, letting the event loop go on meanwhile.

        Cancelled, it leaves the rest to `sweep`.
        """
        turn = Turn()
        for room in self:
            await finish_in_slices(room.presence.forget_process(process))
            await turn.rest()

    async def sweep(self) -> None:
        """Look after every connection: keep quiet ones alive, send stuck ones away, forget ghosts."""
        turn = Turn()
        for room in self:
            await turn.rest()
            room.presence.expire()
            for connection in list(room.connections.values()):
                if connection.is_stuck(STUCK_S):
                    error = ResetError("You read too slowly.")
                    logger.info("Connection %s closed with %d: %s", connection.id, error.close_code, error)
                    room.abort_connection(connection, error)
                elif connection.is_silent(SILENT_S):
                    connection.send(KEEP_ALIVE_MESSAGE)

    def send_away(self, error: CollabError) -> None:
        """Close every connection, and let nobody in any more."""
        self._ending = error
        for room in self:
            room.close_all(error)

    async def close(self, error: CollabError) -> None:
        """Send everyone away and leave every room, at the end of the process."""
        self.send_away(error)
        self._leave_all()
        if self._opening:
            await asyncio.wait(self._opening.values())
            self._leave_all()
        await asyncio.gather(*self._closing.values(), return_exceptions=True)
        self._closing.clear()

    def _leave_all(self) -> None:
        for room in self:
            room.end()
            del self._rooms[room.name]
            self._closing[room.name] = asyncio.create_task(self._close(room))
