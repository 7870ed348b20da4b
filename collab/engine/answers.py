"""What a live room tells one connection of its document: an answer to a question, or all that it lacks.

A long document is encoded in slices, for one who asks at a time: those who wait may find what they
need already there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from collab.engine.connection import Clocks, Connection
from collab.engine.document import Document
from collab.engine.protocol import create_sync_step_1_message, create_sync_step_2_message
from collab.engine.slices import keep_up


class Answers:
    """See the module.

    Args:
        document: gives the room's document, which compaction may have put another in the place of.
    """

    def __init__(self, document: Callable[[], Document]) -> None:
        self._document = document
        self._is_reading = asyncio.Lock()
        self._framed: tuple[bytes, bytes] | None = None  # an update, and the message that brings it

    def question(self) -> bytes:
        """The message that asks for what the room does not have."""
        return create_sync_step_1_message(self._document().question())

    def known_now(self) -> Clocks:
        """What someone who has been sent everything knows."""
        return self._document().state_vector()

    def changed(self) -> None:
        """Let go of what is kept for those who ask next."""
        self._framed = None

    async def answer(self, connection: Connection, known: Clocks) -> None:
        """Send a connection what it lacks that knows so much. Cancelled, it has sent nothing."""
        if not self._document().is_long:
            with connection.meter:
                self._send_difference(connection, known)
            return
        async with self._is_reading:
            document = self._document()
            if connection.is_behind or document.find_difference(known) is not None:
                with connection.meter:
                    self._send_difference(connection, known)
                return
            with document.reading(known) as reading:
                await keep_up(reading, connection.meter)
                with connection.meter:
                    update = document.read(reading, known)
                    connection.send(self._frame(update), reading.first_clocks)

    def _send_difference(self, connection: Connection, known: Clocks) -> None:
        document = self._document()
        first_clocks = {client: known.get(client, 0) for client in document.state_vector()}
        if connection.is_behind:  # it gets one difference, however often it asks
            connection.owe(first_clocks)
        else:
            connection.send(self._frame(document.difference(known)), first_clocks)

    def catch_up(self, known: Clocks) -> list[bytes]:
        """What brings a connection level whose queue was dropped, with any question that was in it."""
        return [self.question(), self._frame(self._document().difference(known))]

    def _frame(self, update: bytes) -> bytes:
        """The difference as a message; one for all who ask for the same, which may be the whole document."""
        if self._framed is None or self._framed[0] is not update:
            self._framed = update, create_sync_step_2_message(update)
        return self._framed[1]
