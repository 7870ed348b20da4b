"""One document of a Hocuspocus socket, from the first frame to its address to its end.

    waiting for its token ─▶ being checked ─▶ open ─▶ ended
                          └────────────────────────▶ refused

Frames that come before it is open are held, and handled in order when it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from accounts.models import User
from accounts.tokens import Credential
from collab.consumers.session import RoomSession, is_for, is_over, room_id_in, signed_in, verify
from collab.consumers.transport import SocketTransport
from collab.engine.connection import Connection
from collab.engine.encoding import write_var_bytes
from collab.engine.errors import (
    AuthTimeoutError,
    CollabError,
    ForbiddenError,
    MalformedError,
    ResetError,
    RoomFullError,
    UnauthenticatedError,
)
from collab.engine.hocuspocus import (
    Leave,
    Token,
    create_permission_denied_message,
    decode_message_of,
    is_for_room,
    name_in,
)
from collab.engine.hocuspocus_connection import HocuspocusConnection
from collab.engine.leases import EXPIRED
from collab.engine.meter import FAULT_S
from collab.engine.reception import receive, receive_at_once
from collab.engine.room import LiveRoom
from collab.live import LiveEngine

if TYPE_CHECKING:
    from collab.consumers.hocuspocus import HocuspocusConsumer

logger = logging.getLogger("collab.consumer")

PROTOCOL = "hocuspocus"
#: A newer token is asked for so long before the end of the old one, or a tenth of its life.
TOKEN_LEAD_S = 30.0

LEFT = "The document was left."
NO_TOKEN_IN_TIME = "No token for the document came in time."  # noqa: S105  # a name or a sentence, no secret


class Document:
    """See the module.

    Args:
        socket: what is told of its end, and counts what is held.
        address: as the client wrote it.

    Raises:
        MalformedError: the address is none.
    """

    def __init__(self, socket: HocuspocusConsumer, engine: LiveEngine, address: bytes) -> None:
        self.address = address
        self._name = name_in(address)
        self.is_open = False
        self._socket = socket
        self._engine = engine
        self._transport = _DocumentTransport(self, socket)
        self._token: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._held: deque[tuple[bytes, int]] = deque()
        self._session: RoomSession | None = None
        self._room: LiveRoom | None = None
        self._connection: HocuspocusConnection | None = None
        self._draining: asyncio.Task[None] | None = None
        self._renewal: asyncio.TimerHandle | None = None
        #: Ends when it is open, or will not be.
        self.opening = asyncio.create_task(self._open())

    # -- before it is open

    @property
    def has_token(self) -> bool:
        """Whether its token has come, or it waits for none any more."""
        return self._token.done()

    @property
    def is_waiting(self) -> bool:
        """Whether it is neither open nor refused."""
        return not self.opening.done()

    def set_token(self, token: bytes) -> None:
        """The token that it waits for; empty where the client has none."""
        self._token.set_result(token)

    def hold(self, frame: bytes, pos: int) -> None:
        """Keep a frame until it is open."""
        self._held.append((frame, pos))
        self._socket.waiting_bytes += len(frame)

    def _release(self) -> tuple[bytes, int]:
        frame, pos = self._held.popleft()
        self._socket.waiting_bytes -= len(frame)
        return frame, pos

    async def _open(self) -> None:
        try:
            self._session = await self._admit()
            await self._join(self._session)
            while self._held:
                await self.receive(*self._release())
            self.is_open = self._connection is not None
        except (UnauthenticatedError, ForbiddenError) as error:
            logger.info("A document was refused with %d: %s", error.close_code, error)
            await self._send_quietly(create_permission_denied_message(error.reason))
            await self._socket.refused(self)
        except RoomFullError as error:
            logger.info("A document was refused with %d: %s", error.close_code, error)
            await self._send_quietly(create_permission_denied_message(error.reason))
            await self._socket.turned_away(self, error)
        except CollabError as error:
            await self._socket.fail(error)
        except Exception:
            logger.exception("A document could not be opened")
            await self._socket.fail(CollabError("Internal error."))

    async def _admit(self) -> RoomSession:
        """Wait for the token, and decide on access.

        Raises:
            CollabError: it may not be opened.
        """
        try:
            async with asyncio.timeout(self._engine.limits.auth_timeout_s):
                token = await self._token
                user, credential, room_id = await self._identify(token)
                session = RoomSession(self._engine, user, credential, room_id, PROTOCOL)
                await session.authorize()
        except TimeoutError as error:
            raise AuthTimeoutError(NO_TOKEN_IN_TIME) from error
        return session

    async def _identify(self, token: bytes) -> tuple[User, Credential | None, str]:
        """Who it is, and which room they want.

        What the handshake came with is found first; where that is for another room, or over, or was not
        there, the document's own token counts.
        """
        scope = self._socket.scope
        try:
            user, credential = signed_in(scope)
        except UnauthenticatedError:
            if scope.get("auth_error") or not token:
                raise
            user, credential = await verify(token, scope)
        self._socket.is_authenticated = True
        try:
            room_id = room_id_in(self._name)
        except MalformedError as error:
            raise ForbiddenError(error.reason) from error
        if token and (is_over(credential) or not is_for(credential, room_id)):
            user, credential = await verify(token, scope)
        if is_over(credential):
            raise UnauthenticatedError(EXPIRED)
        return user, credential, room_id

    async def _join(self, session: RoomSession) -> None:
        connection = HocuspocusConnection(
            self._transport,
            self._engine.limits,
            user_id=session.user.pk,
            can_write=session.grant.can_write,
            clock=self._engine.clock,
            meter=session.meter,
        )
        self._room = await self._engine.stored.join(session.room_name, connection)
        self._connection = connection
        self._draining = asyncio.create_task(self._send_all(connection))
        session.begin(self._room, connection)
        self._ask_for_token_in_time()

    async def _send_all(self, connection: Connection) -> None:
        try:
            await connection.drain()
        except OSError:
            logger.debug("Connection %s has gone while it was sent to", connection.id)

    # -- while it is open

    async def receive(self, frame: bytes, pos: int) -> None:
        """Handle a frame, whose message begins at `pos`.

        Raises:
            CollabError: the socket must be closed with it.
        """
        connection, room = self._connection, self._room
        if connection is None or room is None or connection.is_closed:
            return
        try:
            if is_for_room(frame, pos):
                await receive(room, connection, frame, partial(decode_message_of, pos=pos))
                return
            connection.count_message()
            message = decode_message_of(frame, pos)
        except CollabError:
            connection.meter.charge(FAULT_S)
            raise
        match message:
            case Token(token) if token:
                await self._renew(room, connection, token)
            case Leave():
                await self._socket.forget(self)

    def receive_at_once(self, frame: bytes, pos: int) -> bool:
        """As `receive`, see `engine.reception`."""
        connection, room = self._connection, self._room
        if connection is None or room is None or not is_for_room(frame, pos):
            return False
        return receive_at_once(room, connection, frame, partial(decode_message_of, pos=pos))

    async def _renew(self, room: LiveRoom, connection: HocuspocusConnection, token: bytes) -> None:
        """Take a newer token of the same user; one that is not good ends the document."""
        assert self._session is not None
        old_left_s = self._session.seconds_left
        try:
            await self._session.renew(token, self._socket.scope)
        except UnauthenticatedError as error:
            room.close_connection(connection, error, is_denial=True)
            return
        if connection.is_closed:
            return
        connection.token_came()
        left_s = self._session.seconds_left
        if old_left_s is None or (left_s is not None and left_s > old_left_s):  # else it would go on for ever
            self._ask_for_token_in_time()

    def _ask_for_token_in_time(self) -> None:
        assert self._session is not None
        assert self._connection is not None
        if self._renewal is not None:
            self._renewal.cancel()
        left_s = self._session.seconds_left
        if left_s is not None:
            after_s = max(0.0, left_s - min(TOKEN_LEAD_S, left_s / 10))
            self._renewal = asyncio.get_running_loop().call_later(after_s, self._connection.want_token)

    async def send(self, message: bytes) -> None:
        """Put a message on the socket at once, past what is queued."""
        await self._transport.send(message)

    async def _send_quietly(self, message: bytes) -> None:
        try:
            await self.send(message)
        except OSError:
            logger.debug("A client has gone before it was told")

    # -- its end

    async def closed(self, code: int, reason: str) -> None:
        """The engine has closed its connection."""
        self.leave()
        await self._socket.closed(self, code, reason)

    def leave(self) -> None:
        """Leave the room at once; harmless if it has left already, or was not there."""
        self.is_open = False
        if self._renewal is not None:
            self._renewal.cancel()
        if self._session is not None:
            self._session.end()
        if self._room is not None and self._connection is not None:
            self._engine.stored.leave(self._room, self._connection)
            self._connection.close(ResetError(LEFT))  # a frame that is being handled has no effect any more
            self._connection = None

    async def stop(self) -> None:
        """Leave, and end what works for it, except for who calls this."""
        self.leave()
        while self._held:
            self._release()
        tasks = [task for task in (self.opening, self._draining) if task is not None]
        others = [task for task in tasks if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class _DocumentTransport(SocketTransport):
    """The engine's way out to one document of a socket."""

    def __init__(self, document: Document, socket: HocuspocusConsumer) -> None:
        super().__init__(socket, head=write_var_bytes(document.address))
        self._document = document

    async def close(self, code: int, reason: str) -> None:
        await self._document.closed(code, reason)
