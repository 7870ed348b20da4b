"""`YjsConsumer`: the contract of ypy-websocket's consumer, and what all consumers of one room a socket share.

A refused client is let in far enough to be told: the socket is accepted, the reason sent, and the
socket closed with its code. A close before that would reach a browser as 1006, without a word.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, TypedDict
from urllib.parse import parse_qs

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from collab.consumers.socket import SocketConsumer
from collab.consumers.transport import SocketTransport
from collab.engine.connection import Connection
from collab.engine.encoding import read_canonical_var_uint
from collab.engine.errors import CollabError, MalformedError, ResetError, UnauthenticatedError
from collab.engine.identity import Identity
from collab.engine.meter import FAULT_S
from collab.engine.protocol import (
    SYNC,
    SyncStep2,
    Update,
    create_permission_denied_message,
    create_update_message,
    decode_message,
)
from collab.engine.reception import receive
from collab.engine.registry import Registry
from collab.engine.room import LiveRoom
from collab.live import DRAINING, LiveEngine, get_engine
from collab.relay import group_name
from collab.replicas import new_ydoc, open_replica, replica_of

logger = logging.getLogger("collab.consumer")

SUBPROTOCOL = "yjs"
MAX_ROOM_NAME = 255


class ClientGoneError(Exception):
    """There is nobody to be let in any more."""


class WrappedMessage(TypedDict):
    """A message on its way to one client."""

    message: bytes


def send_doc_update(room_name: str, update: bytes) -> None:
    """From synchronous code: hand a Yjs update (v1) to the `doc_update` handler of a room's consumers.

    For rooms of `YjsConsumer`. A room that nobody has open does not hear it.
    """
    message = {"type": "doc_update", "update": update}
    async_to_sync(get_channel_layer().group_send)(group_name(room_name), message)


class YjsConsumer(SocketConsumer):
    """A room for every name, in memory, for everyone: `path("ws/<str:room>", YjsConsumer.as_asgi())`.

    Override `make_room_name`, `make_ydoc`, `connect` (check, then `await super().connect()`), and add
    handlers for messages to the room's group. All connections of a room in a process share one live
    room; several processes keep theirs equal over the channel layer.

    Overriding `make_ydoc()`, or reading `self.ydoc`, puts a CRDT library to work on what clients send,
    in this process. y-py and pycrdt both can be brought down by a few well-formed bytes, and with them
    the process: do that for writers you trust.
    """

    room_name: str | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connection: Connection | None = None
        self._room: LiveRoom | None = None
        self._drain: asyncio.Task[None] | None = None
        self._is_accepted = False

    # -- what an application overrides

    def make_room_name(self) -> str:
        """The name of the room, from the scope; the same name is the same room."""
        return str(self.scope["url_route"]["kwargs"]["room"])

    async def make_ydoc(self) -> Any:
        """A `y_py.YDoc` or `pycrdt.Doc`: its state seeds the room if that is empty, then it follows it.

        Called once for a live room, on the thread of the event loop. Where several processes may open
        the room at the same moment, give the document a fixed client id, so that both write the same.
        """
        return new_ydoc()

    def presence_user(self) -> Mapping[str, Any] | None:
        """Who the client is to the others: `{"id": …, "name": …}`, from what `connect()` has checked.

        These fields stand in the `user` of its awareness states, whatever it says there itself. `color`
        is made from `id` where it is not given. Without one (None), clients say who they are themselves,
        and what is there of another connection can't be taken over by a reconnect.
        """
        return None

    async def connect(self) -> None:
        """Let the client into its room. Override to check first, then `await super().connect()`."""
        try:
            if self.room_name is None:
                self.room_name = self._checked(self.make_room_name())
            await self._accept()
            await self._join(get_engine())
        except CollabError as error:
            await self.refuse(error)
        except ClientGoneError:
            logger.info("A client has gone before it was let into room %s", self.room_name)
        except Exception:
            logger.exception("Room %s could not be joined", self.room_name)
            await self.refuse(CollabError("Internal error."))

    @property
    def ydoc(self) -> Any:
        """The document that follows the room; only to be read."""
        if self._room is None:
            raise RuntimeError("There is no document before `await super().connect()`.")
        return replica_of(self._room).doc

    # -- sending

    async def send_message(self, message_wrapper: WrappedMessage) -> None:
        """Send a message to this client alone."""
        if self._connection is not None:
            self._connection.send(message_wrapper["message"])

    async def group_send_message(self, message: bytes) -> None:
        """Send a message to everyone in the room, in all processes.

        An update is taken into the room and reaches those who do not have it; any other message goes
        out as it is.

        Raises:
            MalformedError: it says that it is a sync message and is none.
            UpdateRefusedError: the update, or the document with it, is too big.
        """
        room = self._room
        if room is None:
            return
        kind, _ = read_canonical_var_uint(message, 0)
        if kind != SYNC:
            room.broadcast_everywhere(message)
            return
        match decode_message(message):
            case SyncStep2(update) | Update(update):
                room.take_in(await room.parse(update))
            case _:
                raise MalformedError("A state vector is for one receiver; expected an update.")

    async def doc_update(self, update_wrapper: dict[str, Any]) -> None:
        """Handler for `send_doc_update`: the update is taken into the room."""
        await self.group_send_message(create_update_message(update_wrapper["update"]))

    # -- the socket

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        connection, room = self._connection, self._room
        if connection is None or room is None or connection.is_closed:
            return
        try:
            if bytes_data is None:
                connection.count_message()
                await self.receive_text(connection, text_data or "")
            else:
                await receive(room, connection, bytes_data)
        except CollabError as error:
            logger.info("Connection %s closed with %d: %s", connection.id, error.close_code, error)
            connection.meter.charge(FAULT_S)
            is_denial = isinstance(error, UnauthenticatedError)
            room.close_connection(connection, error, is_denial=is_denial)
        except Exception:
            logger.exception("Connection %s closed: a frame could not be handled", connection.id)
            room.close_connection(connection, CollabError("Internal error."))

    async def receive_text(self, connection: Connection, text: str) -> None:
        """Handle a text frame; no Yjs client sends one by itself.

        Raises:
            CollabError: the connection must be closed with it.
        """
        raise MalformedError("A text frame was sent; expected a binary one.")

    async def disconnect(self, code: int) -> None:
        if self._connection is not None:
            self._leave(get_engine())
        if self.channel_layer is not None and self.room_name is not None:
            await self.channel_layer.group_discard(group_name(self.room_name), self.channel_name)

    async def refuse(self, error: CollabError) -> None:
        """Tell the client why it may not come in, and close."""
        logger.info("Refused with %d: %s", error.close_code, error)
        try:
            await self._accept()
            await self.send(bytes_data=create_permission_denied_message(error.reason))
            await self.close(code=error.close_code, reason=error.reason)
        except (ClientGoneError, OSError):
            logger.debug("A client has gone before it was told")

    async def _accept(self) -> None:
        if not self._is_accepted:
            self._is_accepted = True
            try:
                await self.accept(SUBPROTOCOL if SUBPROTOCOL in self.scope["subprotocols"] else None)
            except OSError as error:
                raise ClientGoneError from error

    def _checked(self, room_name: str) -> str:
        if not 0 < len(room_name) <= MAX_ROOM_NAME:
            raise MalformedError(f"A room name has 1 to {MAX_ROOM_NAME} characters.")
        return room_name

    async def _join(self, engine: LiveEngine) -> None:
        if engine.is_draining:
            raise ResetError(DRAINING)
        assert self.room_name is not None
        connection = self._make_connection(engine)
        self._identify(connection)
        room = await self._registry(engine).join(self.room_name, connection, self._prepare)
        self._room, self._connection = room, connection
        self._drain = asyncio.create_task(self._send_all(connection))
        self._joined(room, connection)
        if self.channel_layer is not None:
            await self.channel_layer.group_add(group_name(self.room_name), self.channel_name)

    def _registry(self, engine: LiveEngine) -> Registry:
        return engine.unstored

    def _make_connection(self, engine: LiveEngine) -> Connection:
        return Connection(
            SocketTransport(self), engine.limits, wants_echo=self._wants_echo(), clock=engine.clock
        )

    def _identify(self, connection: Connection) -> None:
        user = self.presence_user()
        connection.identify(None if user is None else Identity(user))

    def _wants_echo(self) -> bool:
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        return query.get("echo") == ["1"]

    async def _prepare(self, room: LiveRoom) -> None:
        """Before the first connection sees the room: give it its document, if the application has one."""
        if type(self).make_ydoc is not YjsConsumer.make_ydoc:
            await open_replica(room, self.make_ydoc)

    def _joined(self, room: LiveRoom, connection: Connection) -> None:
        """The connection is in the room; nothing has been awaited since."""

    def _leave(self, engine: LiveEngine) -> None:
        assert self._room is not None
        assert self._connection is not None
        self._registry(engine).leave(self._room, self._connection)
        if self._drain is not None:
            self._drain.cancel()

    async def _send_all(self, connection: Connection) -> None:
        try:
            await connection.drain()
        except OSError:
            logger.debug("Connection %s has gone while it was sent to", connection.id)
