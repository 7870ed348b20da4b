"""Checkpoints of logged rooms: what a room holds takes the place of its rows, with or without its garbage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from collab.engine.compaction import Compaction, Snapshot, catch_up, encode_in_slices
from collab.engine.document import Document
from collab.engine.errors import UnavailableError
from collab.engine.ports import Compactor, Log
from collab.engine.positions import Position
from collab.engine.room import LiveRoom
from collab.engine.slices import finish_in_slices

logger = logging.getLogger("collab.log")

#: How long a checkpoint waits for the commit of what is in it.
SAVED_PATIENCE_S = 5.0


class Checkpoints:
    """See the module.

    Args:
        log: where they are written.
        compactor: takes the garbage out of them; without one they hold every byte that came.
        when_saved: calls when everything recorded of a room so far is saved.
    """

    def __init__(
        self,
        log: Log,
        compactor: Compactor | None,
        when_saved: Callable[[LiveRoom, Callable[[], None]], None],
    ) -> None:
        self._log = log
        self._compaction = Compaction(compactor)
        self._when_saved = when_saved

    def will_collect(self, room: LiveRoom) -> bool:
        """Whether the next one is tried without garbage, which takes its time."""
        return self._compaction.is_worthwhile(room.name, room.document)

    async def write(self, room: LiveRoom, position: Position) -> None:
        """Replace the rows by what the room holds now, without its garbage if that can be told.

        It is written when all of that is committed: others who have the room open read rows, and would never
        hear of what a crash left in a checkpoint alone. Interrupted anywhere, the rows are still there.
        """
        seq, document = position.seq, room.document
        position.rows = 0
        position.is_checkpointing = True
        try:
            snapshot = await Snapshot.take(document)
            if not await self._is_saved(room):
                logger.warning("Room %s got no checkpoint: what it holds is not committed yet", room.name)
                return
            if self._compaction.is_worthwhile(room.name, document):
                collected = await self._compaction.attempt(room.name, snapshot)
            else:
                collected = None
            update = snapshot.update
            if collected is not None:
                update = await encode_in_slices(collected)
                sizes = len(update), len(snapshot.update)
                logger.info("Room %s: %d bytes of %d are left", room.name, *sizes)
            await self._store(room, seq, update, snapshot.state_vector)
            if collected is not None:
                await _swap(room, snapshot, collected)
        finally:
            position.checkpoint_bytes = room.document.size_bytes
            position.is_checkpointing = False

    async def _is_saved(self, room: LiveRoom) -> bool:
        """Wait until everything recorded so far is saved; whether that came in time."""
        saved = asyncio.Event()
        self._when_saved(room, saved.set)
        try:
            async with asyncio.timeout(SAVED_PATIENCE_S):
                await saved.wait()
        except TimeoutError:
            return False
        return True

    async def _store(self, room: LiveRoom, seq: int, update: bytes, state_vector: bytes) -> None:
        try:
            await self._log.checkpoint(room.name, seq, update, state_vector)
        except Exception as error:  # whatever it is, the rows are still there
            logger.warning(
                "Room %s got no checkpoint: %s",
                room.name,
                error,
                exc_info=not isinstance(error, UnavailableError),
            )


async def _swap(room: LiveRoom, snapshot: Snapshot, collected: Document) -> None:
    """Let the room go on with the collected document and what came since, so that newcomers get that."""
    if room.is_closed:
        return
    is_level = await catch_up(collected, snapshot)
    if is_level and not room.is_closed and room.document is snapshot.document:
        room.document = collected
        await finish_in_slices(snapshot.document.let_go())
