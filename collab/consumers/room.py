"""`RoomConsumer`: a stored room for y-websocket clients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from accounts.tokens import MAX_TOKEN_BYTES
from collab.consumers.session import RoomSession, room_id_in, signed_in
from collab.consumers.transport import SocketTransport
from collab.consumers.yjs import YjsConsumer
from collab.engine.connection import Connection
from collab.engine.errors import CollabError, MalformedError
from collab.engine.reception import receive_at_once
from collab.engine.registry import Registry
from collab.engine.room import LiveRoom
from collab.live import LiveEngine, get_engine

#: Characters of a text frame that carries a token.
MAX_TOKEN_FRAME = MAX_TOKEN_BYTES + 100


class RoomConsumer(YjsConsumer):
    """A stored room, for those who have access to it.

    Access is decided in `connect()` before the room is touched, held as a lease while the socket is
    open, and followed: lowered, the socket becomes read-only at once; taken away, it is closed.

    It is on no channel of its own: what concerns a room crosses the layer once for each process.

    A text frame `{"token": "<access token>"}` on the open socket puts that token in the place of the one the
    socket was opened with. Nothing is answered: clients take no text frames.
    """

    channel_layer_alias = ""
    protocol = "y-websocket"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._session: RoomSession | None = None

    def make_room_name(self) -> str:
        """The room's id in its one spelling.

        Raises:
            MalformedError: it is not a UUID.
        """
        return room_id_in(super().make_room_name())

    def presence_user(self) -> Mapping[str, Any]:
        """The signed-in user: `id`, `name`, `color`. Override to add to it; called again after a rename."""
        assert self._session is not None
        return self._session.presence_user()

    async def connect(self) -> None:
        """Decide on access, then join.

        The order of refusals: who are you (4401), is that a room id (4400), may you (4403). An unknown
        room, another tenant's and one without a grant can't be told apart.
        """
        try:
            user, credential = signed_in(self.scope)
            self.room_name = self.make_room_name()
            self._session = RoomSession(get_engine(), user, credential, self.room_name, self.protocol)
            await self._session.authorize()
        except CollabError as error:
            await self.refuse(error)
            return
        await super().connect()

    def _registry(self, engine: LiveEngine) -> Registry:
        return engine.stored

    def _make_connection(self, engine: LiveEngine) -> Connection:
        assert self._session is not None
        return Connection(
            SocketTransport(self),
            engine.limits,
            user_id=self._session.user.pk,
            can_write=self._session.grant.can_write,
            wants_echo=self._wants_echo(),
            clock=engine.clock,
            meter=self._session.meter,
        )

    def _joined(self, room: LiveRoom, connection: Connection) -> None:
        assert self._session is not None
        self.take_at_once(partial(receive_at_once, room, connection), of=RoomConsumer)
        self._session.begin(room, connection, partial(self._identify, connection))

    async def receive_text(self, connection: Connection, text: str) -> None:
        """Take a newer access token of the same user; verified like the first one.

        The frames of a connection are handled one after the other, so there is one verification at a time.
        """
        assert self._session is not None
        await self._session.renew(_token_in(text), self.scope)

    def _leave(self, engine: LiveEngine) -> None:
        assert self._session is not None
        self._session.end()
        super()._leave(engine)


def _token_in(text: str) -> bytes:
    """The access token of a frame `{"token": "…"}`.

    Raises:
        MalformedError: it is anything else.
    """
    if len(text) <= MAX_TOKEN_FRAME:
        try:
            match json.loads(text, object_pairs_hook=tuple):  # an array would be a list
                case tuple((("token", str(token)),)):
                    return token.encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):
            pass
    raise MalformedError('A text frame was sent that is not {"token": "…"}.')
