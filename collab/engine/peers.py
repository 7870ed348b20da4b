"""Replication of rooms that no log keeps: what one process has, the others are told at once.

A process that opens a room asks the others for what they have, and all ask again from time to time;
whoever has more than the asker answers with the difference. So a message that was lost is only a
delay, and a room lives as long as any process holds it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from uuid import UUID

from collab.engine.document import EMPTY_UPDATE, Document
from collab.engine.errors import MalformedError
from collab.engine.gate import (
    SHORT_BYTES,
    ParsedUpdate,
    parse_state_vector,
    parse_update,
    parse_update_in_slices,
)
from collab.engine.ports import PeerQuestion, PeerUpdate, Publish, RelayMessage
from collab.engine.room import LiveRoom

logger = logging.getLogger("collab.peers")

#: How long the first connection to a room waits for other processes to say what they have.
ANSWER_PATIENCE_S = 0.3


class PeerReplication:
    """Keeps rooms equal between processes by state vectors alone.

    Args:
        publish: tells other processes; may lose anything.
        reaches_others: whether there can be another process; if not, nobody is waited for.
    """

    def __init__(self, publish: Publish, *, reaches_others: bool) -> None:
        self._publish = publish
        self._reaches_others = reaches_others
        self._answered: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, room: LiveRoom) -> None:
        """Ask for what others have, and wait a moment for the first answer."""
        if not self._reaches_others:
            return
        answered = self._answered[room.name] = asyncio.Event()
        self._publish(_question(room))
        try:
            async with asyncio.timeout(ANSWER_PATIENCE_S):
                await answered.wait()
        except TimeoutError:
            pass  # nobody else has it: this process is the first
        finally:
            del self._answered[room.name]

    async def close(self, room: LiveRoom) -> None:
        """Nothing is kept."""

    def check_accepting(self) -> None:
        """There is nothing that could fail to keep it."""

    def is_settled(self, room: LiveRoom) -> bool:
        return True

    def record(
        self,
        room: LiveRoom,
        update: ParsedUpdate,
        author_id: UUID | None,
        on_saved: Callable[[], None] | None,
    ) -> None:
        self._publish(PeerUpdate(room.name, update.data))
        if on_saved is not None:
            on_saved()

    def when_saved(self, room: LiveRoom, call: Callable[[], None]) -> None:
        call()

    def received(self, room: LiveRoom, message: RelayMessage) -> None:
        match message:
            case PeerUpdate(_, update) if len(update) <= SHORT_BYTES:
                self._absorb(room, parse_update(update))
            case PeerUpdate(_, update):
                task = asyncio.get_running_loop().create_task(self._absorb_in_slices(room, update))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case PeerQuestion():
                self._reply(room, message)

    def _absorb(self, room: LiveRoom, update: ParsedUpdate) -> None:
        room.absorb(update)
        if room.name in self._answered:
            self._answered[room.name].set()

    async def _absorb_in_slices(self, room: LiveRoom, data: bytes) -> None:
        """Take a long update in, a whole document perhaps, and let the event loop go on meanwhile."""
        try:
            self._absorb(room, await parse_update_in_slices(data))
        except MalformedError as error:
            logger.warning("Room %s: an update of another process was refused: %s", room.name, error)

    def _reply(self, room: LiveRoom, question: PeerQuestion) -> None:
        theirs, ours = parse_state_vector(question.state_vector), room.document.state_vector()
        has_same_deletes = question.deletes_digest == deletes_digest(room.document)
        if any(clock > theirs.get(client, 0) for client, clock in ours.items()) or not has_same_deletes:
            difference = room.document.difference(theirs)
            if difference != EMPTY_UPDATE:
                self._publish(PeerUpdate(room.name, difference))
        if any(clock > ours.get(client, 0) for client, clock in theirs.items()):
            self._publish(_question(room))

    async def heal(self, rooms: list[LiveRoom]) -> None:
        if self._reaches_others:
            for room in rooms:
                self._publish(_question(room))


def _question(room: LiveRoom) -> PeerQuestion:
    return PeerQuestion(room.name, room.document.encoded_state_vector(), deletes_digest(room.document))


def deletes_digest(document: Document) -> bytes:
    """What tells two delete sets apart; a state vector says nothing about them."""
    return hashlib.blake2b(document.encoded_deletes(), digest_size=16).digest()
