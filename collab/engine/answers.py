"""What a live room tells one connection of its document: an answer to a question, or all that it lacks.

A long document is encoded in slices, for one who asks at a time: those who wait may find what they
need already there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from collab.engine.connection import Clocks, Connection, Since
from collab.engine.document import Document
from collab.engine.pieces import Data
from collab.engine.protocol import create_sync_step_1_message, create_sync_step_2_message
from collab.engine.slices import NO_METER, Meter, finish_in_slices, keep_up


class Answers:
    """See the module.

    Args:
        document: gives the room's document, which compaction may have put another in the place of.
    """

    def __init__(self, document: Callable[[], Document]) -> None:
        self._document = document
        self._is_reading = asyncio.Lock()
        self._framed: tuple[Data, Data] | None = None  # an update, and the message that brings it
        self._known: Mapping[int, int] | None = None

    def question(self) -> bytes:
        """The message that asks for what the room does not have."""
        return create_sync_step_1_message(self._document().question())

    async def prepare_question(self, meter: Meter = NO_METER) -> None:
        """Do most of the work of `question` in slices."""
        document = self._document()
        if document.has_many_clients:
            await finish_in_slices(document.write_entries(), meter)

    def known_now(self) -> Mapping[int, int]:
        """What someone who has been sent everything knows; one for all who ask until that changes."""
        if self._known is None:
            self._known = self._document().state_vector()
        return self._known

    def changed(self) -> None:
        """Let go of what is kept for those who ask next."""
        self._framed = self._known = None

    async def answer(self, connection: Connection, known: Clocks) -> None:
        """Send a connection what it lacks that knows so much. Cancelled, it has sent nothing."""
        if connection.is_behind:  # it gets one difference, however often it asks
            connection.owe(Since(known))
        else:
            connection.send(self._frame(await self._difference(known, connection.meter)), Since(known))

    async def catch_up(self, known: Mapping[int, int], meter: Meter) -> list[Data]:
        """What brings a connection level whose queue was dropped, with any question that was in it."""
        update = await self._difference(known, meter)
        await self.prepare_question(meter)
        return [self.question(), self._frame(update)]

    async def _difference(self, known: Mapping[int, int], meter: Meter) -> Data:
        """What one lacks who knows so much, of the document as it is when this returns."""
        document = self._document()
        if not document.is_long:
            with meter:
                return document.difference(known)
        async with self._is_reading:
            document = self._document()
            with meter:
                found = document.find_difference(known)
            if found is not None:
                return found
            with document.reading(known) as reading:
                await keep_up(reading, meter)
                with meter:
                    return document.read(reading, known)

    def _frame(self, update: Data) -> Data:
        """The difference as a message; one for all who ask for the same, which may be the whole document."""
        if self._framed is None or self._framed[0] is not update:
            self._framed = update, create_sync_step_2_message(update)
        return self._framed[1]
