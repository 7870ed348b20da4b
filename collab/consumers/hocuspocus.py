"""`HocuspocusConsumer`: stored rooms for Hocuspocus clients, many on one socket.

The socket is accepted before anybody is known. Each document on it, by its address, waits for its token, is
checked, is open, and ends by itself; what concerns the line ends the socket, and all documents with it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from collab.consumers.document import Document
from collab.consumers.session import signed_in
from collab.consumers.socket import SocketConsumer
from collab.consumers.yjs import SUBPROTOCOL
from collab.engine.errors import (
    AuthTimeoutError,
    CollabError,
    ForbiddenError,
    LimitError,
    MalformedError,
    ResetError,
    RoomFullError,
    UnauthenticatedError,
)
from collab.engine.hocuspocus import (
    KEEP_ALIVE_FRAME,
    PONG_FRAME,
    Leave,
    Ping,
    Token,
    create_close_message,
    decode_address,
    decode_alone,
    decode_message_of,
)
from collab.engine.meter import MessageRate
from collab.engine.registry import SILENT_S
from collab.live import DRAINING, get_engine

logger = logging.getLogger("collab.consumer")

#: Documents of one socket that it may not open, and that are remembered.
MAX_REFUSED = 1_000
#: How long a socket without documents, whose last one found no place in its room, waits for others.
ALONE_S = 1.0
#: What ends one document, and leaves the socket to the others.
DOCUMENT_CODES = frozenset({UnauthenticatedError.close_code, ForbiddenError.close_code})

UNAUTHENTICATED = "Nobody has said in time who you are."


class HocuspocusConsumer(SocketConsumer):
    """One socket of a Hocuspocus provider, v3 or v4: `path("collaboration", HocuspocusConsumer.as_asgi())`.

    The name of a document is a room's id. Who may do what is decided, held and followed as by `RoomConsumer`.
    """

    channel_layer_alias = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Whether a token was good, whatever it was good for.
        self.is_authenticated = False
        #: Bytes that wait for their documents to be opened.
        self.waiting_bytes = 0
        self._documents: dict[bytes, Document] = {}
        self._refused: set[bytes] = set()
        self._is_ended = False
        self._watch: asyncio.Task[None] | None = None

    # -- the socket

    async def connect(self) -> None:
        """Let the client in, to say who it is."""
        engine = get_engine()
        self._engine, self._limits = engine, engine.limits
        self._rate = MessageRate(engine.limits.messages_per_s, engine.limits.message_burst, engine.clock)
        with suppress(CollabError):
            signed_in(self.scope)
            self.is_authenticated = True
        try:
            await self.accept(SUBPROTOCOL if SUBPROTOCOL in self.scope["subprotocols"] else None)
        except OSError:
            logger.debug("A client has gone before it was let in")
            return
        if engine.is_draining:
            await self.fail(ResetError(DRAINING))
        else:
            self.take_at_once(self._receive_at_once, of=HocuspocusConsumer)
            self._watch = asyncio.create_task(self._keep_watch())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._is_ended:
            return
        try:
            await self._receive(bytes_data)
        except CollabError as error:
            await self.fail(error)
        except OSError:
            logger.debug("A client has gone while it was answered")
        except Exception:
            logger.exception("A frame could not be handled")
            await self.fail(CollabError("Internal error."))

    async def disconnect(self, code: int) -> None:
        self._is_ended = True
        if self._watch is not None:
            self._watch.cancel()
        documents = list(self._documents.values())
        self._documents.clear()
        await asyncio.gather(*(document.stop() for document in documents))

    async def end(self, code: int, reason: str) -> None:
        """Close the socket: all documents are left at once, and frames have no effect any more."""
        if self._is_ended:
            return
        self._is_ended = True
        logger.info("A socket with %d documents closed with %d: %s", len(self._documents), code, reason)
        for document in self._documents.values():
            document.leave()
        with suppress(OSError):
            await self.close(code=code, reason=reason)

    async def fail(self, error: CollabError) -> None:
        """Close the socket for an error."""
        await self.end(error.close_code, error.reason)

    async def _keep_watch(self) -> None:
        """End a socket that nobody authenticates; keep one without open documents from falling silent."""
        await asyncio.sleep(self._limits.auth_timeout_s)
        if not self.is_authenticated:
            await self.fail(AuthTimeoutError(UNAUTHENTICATED))
            return
        while not self._is_ended:
            await asyncio.sleep(SILENT_S)
            if not any(document.is_open for document in self._documents.values()):
                with suppress(OSError):
                    await self.base_send({"type": "websocket.send", "bytes": KEEP_ALIVE_FRAME})

    # -- frames

    async def _receive(self, frame: bytes | None) -> None:
        if frame is None:
            raise MalformedError("A text frame was sent; expected a binary one.")
        alone = decode_alone(frame)
        if alone is not None:
            self._count()
            if isinstance(alone, Ping):
                await self.base_send({"type": "websocket.send", "bytes": PONG_FRAME})
            return
        address, pos = decode_address(frame)
        document = self._documents.get(address)
        if document is None or not document.is_open:
            self._count()
            document = await self._receive_early(address, frame, pos)
        if document is not None and not self._is_ended:
            await document.receive(frame, pos)

    def _receive_at_once(self, frame: bytes) -> bool:
        if self._is_ended:
            return False
        try:
            address, pos = decode_address(frame)
            document = self._documents.get(address)
            return document is not None and document.is_open and document.receive_at_once(frame, pos)
        except MalformedError:  # `receive` says so
            return False

    async def _receive_early(self, address: bytes, frame: bytes, pos: int) -> Document | None:
        """Take a frame to a document that is not open; gives the document if it is open after all.

        Raises:
            MalformedError: it is no message of a client.
            LimitError: more comes before the tokens than may.
        """
        message = decode_message_of(frame, pos)
        document = self._documents.get(address)
        if document is None:
            if isinstance(message, Leave) or (address in self._refused and not isinstance(message, Token)):
                return None
            document = await self._begin(address)
        if isinstance(message, Token) and not document.has_token:
            document.set_token(message.token)
        elif isinstance(message, Leave) and not document.has_token:
            await self.forget(document)
        elif self.waiting_bytes + len(frame) <= self._limits.max_unauthenticated_bytes:
            document.hold(frame, pos)
        elif document.has_token:
            await asyncio.wait([document.opening])
            return document if document.is_open else None
        else:
            raise LimitError(
                f"More than {self._limits.max_unauthenticated_bytes} bytes came before their tokens."
            )
        return None

    async def _begin(self, address: bytes) -> Document:
        """A document for an address that is new; waits while too many others are being checked.

        Raises:
            MalformedError: the address is none.
            LimitError: too many wait for their tokens.
        """
        limit = self._limits.max_unauthenticated_rooms
        while True:
            waiting = [document for document in self._documents.values() if document.is_waiting]
            if len(waiting) < limit:
                break
            checks = [document.opening for document in waiting if document.has_token]
            if not checks:
                raise LimitError(f"Frames of more than {limit} documents came before their tokens.")
            await asyncio.wait(checks, return_when=asyncio.FIRST_COMPLETED)
        self._refused.discard(address)
        document = self._documents[address] = Document(self, self._engine, address)
        return document

    def _count(self) -> None:
        if not self._rate.allows_one():
            raise LimitError(f"More than {self._limits.messages_per_s} messages a second.")

    # -- what becomes of documents

    async def refused(self, document: Document) -> None:
        """The document may not be opened, or not be open any more; what comes for it is passed over."""
        self._refused.add(document.address)
        await self.forget(document)
        if len(self._refused) > MAX_REFUSED:
            await self.fail(LimitError(f"More than {MAX_REFUSED} documents were refused."))

    async def turned_away(self, document: Document, error: RoomFullError) -> None:
        """There is no place in the document's room, which is not the others' fault.

        A socket that has no others closes, so that the provider comes back: it does not ask again by itself.
        """
        await self.refused(document)
        await asyncio.sleep(ALONE_S)
        if not self._documents:
            await self.fail(error)

    async def forget(self, document: Document) -> None:
        """The client has left the document."""
        if self._documents.get(document.address) is document:
            del self._documents[document.address]
        await document.stop()

    async def closed(self, document: Document, code: int, reason: str) -> None:
        """The engine has ended a document's connection.

        The socket goes on for its other documents, where it is this one that the client may not have. Without
        another one it closes with the code: a provider comes back once, is denied, and stays.
        """
        if self._is_ended:
            return
        if code in DOCUMENT_CODES:
            await document.send(create_close_message(reason))
            if len(self._documents) > 1:
                await self.refused(document)
                return
        await self.end(code, reason)
