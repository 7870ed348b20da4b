"""Compaction: a document goes on without what was deleted in it, if that can be told safely.

Document code runs elsewhere (see `ports.Compactor`), and nothing it says is believed unseen: what
comes back must pass the gate, reach exactly as far as what went in, and hold every deletion that did.
Otherwise, and for content that must not be encoded again, the document stays as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from dataclasses import dataclass

from collab.engine.document import Document
from collab.engine.errors import CompactionBusyError, CompactionError, MalformedError
from collab.engine.gate import SHORT_BYTES, parse_update, parse_update_in_slices
from collab.engine.pieces import join_in_slices
from collab.engine.ports import Compactor
from collab.engine.slices import NO_METER, finish_in_slices, keep_up
from collab.engine.structs import SLICE

logger = logging.getLogger("collab.compaction")

#: Documents of fewer bytes are not worth it.
MIN_BYTES = 4096
#: A document is tried again when it has grown so many times over, whatever came of the last attempt.
GROWTH = 2
#: What is left must be less than this part of what there was, or the bytes stay as they came.
WORTH = 0.9
#: Rooms whose last attempt is remembered.
MAX_REMEMBERED = 10_000
#: How often a document is brought level with one that goes on changing.
CATCH_UP_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a document was at one moment."""

    document: Document
    update: bytes
    clocks: dict[int, int]
    encoded_deletes: bytes
    state_vector: bytes
    is_collectable: bool

    @classmethod
    def of(cls, document: Document) -> Snapshot:
        return cls(
            document,
            document.encode(),
            document.state_vector(),
            document.encoded_deletes(),
            document.encoded_state_vector(),
            document.is_reencodable and not document.has_gaps,
        )

    @classmethod
    async def take(cls, document: Document) -> Snapshot:
        """As `of`, in slices; of the document as it is at one moment meanwhile."""
        await finish_in_slices(document.write_entries())
        with document.reading({}) as reading:
            await keep_up(reading, NO_METER)
            update = document.read(reading, {})
            clocks, deletes = document.state_vector(), document.encoded_deletes()
            state_vector = document.question()
            is_collectable = document.is_reencodable and not reading.gappy
        return cls(document, await join_in_slices(update), clocks, deletes, state_vector, is_collectable)


async def encode_in_slices(document: Document) -> bytes:
    """All of a document as one update, as it is at one moment meanwhile."""
    with document.reading({}) as reading:
        await keep_up(reading, NO_METER)
        update = document.read(reading, {})
    return await join_in_slices(update)


def check_collectable(document: Document) -> None:
    """Refuse a document that document code would change.

    Raises:
        CompactionError: why.
    """
    if not document.is_reencodable:
        raise CompactionError("It holds content that must not be encoded again.")
    if document.has_gaps:
        raise CompactionError("Updates are missing in it.")


async def collect(snapshot: Snapshot, compactor: Compactor) -> Document:
    """The document at that moment, without its garbage. Lets the event loop go on meanwhile.

    Raises:
        CompactionError: nothing is gained, or what came back is not that document.
    """
    update = await compactor.collect(snapshot.update)
    if len(update) >= WORTH * len(snapshot.update):
        raise CompactionError("It holds no garbage to speak of.")
    collected = Document()
    try:
        await _take_in(collected, update)
    except MalformedError as error:
        raise CompactionError(f"What came back is not an update: {error}") from error
    with collected.reading({}) as reading:
        await keep_up(reading, NO_METER)
        has_gaps = bool(reading.gappy)
    is_level = await finish_in_slices(_is_equal(collected.state_vector(), snapshot.clocks))
    if has_gaps or not collected.is_reencodable or not is_level:
        raise CompactionError("What came back is another document.")
    deletes = await parse_update_in_slices(b"\x00" + snapshot.encoded_deletes)
    with collected.planning(deletes) as plan:
        await keep_up(plan, NO_METER)
        if plan.is_new:
            raise CompactionError("What came back has forgotten deletions.")
    return collected


def _is_equal(clocks: Mapping[int, int], others: Mapping[int, int]) -> Generator[None, None, bool]:
    if len(clocks) != len(others):
        return False
    for index, (client, clock) in enumerate(clocks.items()):
        if others.get(client) != clock:
            return False
        if index % SLICE == SLICE - 1:
            yield
    return True


async def _take_in(document: Document, data: bytes) -> None:
    update = await parse_update_in_slices(data)
    with document.planning(update) as plan:
        await keep_up(plan, NO_METER)
        document.take_in(update, plan)


async def catch_up(collected: Document, snapshot: Snapshot) -> bool:
    """Take in what the document was told since the snapshot; whether that came to an end.

    If so, when this returns, and until the next `await`, the two say the same.
    """
    document, known = snapshot.document, snapshot.clocks
    for _ in range(CATCH_UP_ATTEMPTS):
        with document.reading(known) as reading:
            await finish_in_slices(reading.work())
            news = document.read(reading, known)
            if len(news) <= SHORT_BYTES:  # where many write all the time, nothing else would ever be the last
                collected.take_in(parse_update(bytes(news)))
                return True
            known = document.state_vector()
            await _take_in(collected, await join_in_slices(news))
            if not reading.changed:
                return True
    return False


class Compaction:
    """Decides when the documents of a process are worth the attempt, and makes it.

    Args:
        compactor: who collects; without one nothing ever is.
    """

    def __init__(self, compactor: Compactor | None) -> None:
        self._compactor = compactor
        self._sizes: dict[str, int] = {}  # of each room after its last attempt, oldest first

    def is_worthwhile(self, room_name: str, document: Document) -> bool:
        if self._compactor is None:
            return False
        if document.size_bytes < max(MIN_BYTES, GROWTH * self._sizes.get(room_name, 0)):
            return False
        return document.is_reencodable

    async def attempt(self, room_name: str, snapshot: Snapshot) -> Document | None:
        """The snapshot without its garbage; none where it stays as it is. Whatever happens, only that."""
        if self._compactor is None or not snapshot.is_collectable:
            return None
        self._remember(room_name, snapshot.document.size_bytes)
        try:
            collected = await collect(snapshot, self._compactor)
        except CompactionBusyError:
            self._sizes.pop(room_name, None)
            return None
        except CompactionError as error:
            logger.info("Room %s stays as it is: %s", room_name, error)
            return None
        except Exception:
            logger.exception("Room %s stays as it is", room_name)
            return None
        self._remember(room_name, collected.size_bytes)
        return collected

    def _remember(self, room_name: str, size_bytes: int) -> None:
        self._sizes.pop(room_name, None)
        self._sizes[room_name] = size_bytes
        if len(self._sizes) > MAX_REMEMBERED:
            del self._sizes[next(iter(self._sizes))]
