"""Replication of rooms that a log keeps.

    taken in ─▶ pending ─▶ one transaction for all rooms, a few ms later ─▶ saved: tell writer, tell others

The log is the truth. A process knows of each room up to which number it has every row; a number that
comes too early shows a gap, which is read from the log, and a timer compares the numbers of all live
rooms in one query. So a message that was lost is only a delay.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID

from collab.engine.checkpoints import Checkpoints
from collab.engine.errors import ForbiddenError, MalformedError, UnavailableError
from collab.engine.gate import ParsedUpdate, parse_update
from collab.engine.limits import MIB, Limits
from collab.engine.pending import Pending
from collab.engine.ports import CommittedRows, Compactor, Log, NewRow, Publish, RelayMessage
from collab.engine.positions import Position
from collab.engine.room import LiveRoom
from collab.engine.slices import Turn, finish_in_slices

logger = logging.getLogger("collab.log")

#: Rows of one commit that are sent along with the news of it; beyond, others read the log.
MAX_PUBLISHED_BYTES = 64 * 1024
#: Rows that are taken in without a pause.
MAX_ROWS_AT_ONCE = 32
#: Memory of what waits for the store; beyond, new updates are refused.
MAX_PENDING_BYTES = 64 * MIB
#: How long a number that came too early waits for the ones before it.
GAP_PATIENCE_S = 0.05
RETRY_S = (0.05, 0.2, 0.5, 1.0)

GONE = "You have no access to this room."


class LoggedReplication:
    """One log writer, and the positions of all live rooms, for a process.

    Args:
        log: where rows are committed.
        publish: tells other processes; what it loses is healed from the log.
        limits: `commit_interval_ms` is the time from the first change to the commit.
        compactor: as for `Checkpoints`.
    """

    def __init__(
        self, log: Log, publish: Publish, limits: Limits, *, compactor: Compactor | None = None
    ) -> None:
        self._log = log
        self._publish = publish
        self._interval_s = limits.commit_interval_ms / 1000
        self._positions: dict[str, Position] = {}
        self._pending = Pending()
        self._committing = Pending()
        self._work = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._checkpoints = Checkpoints(log, compactor, self.when_saved)

    # -- opening and leaving

    async def open(self, room: LiveRoom) -> None:
        """Load the room: the newest checkpoint and the rows after it.

        Raises:
            ForbiddenError: the room does not exist any more.
            UnavailableError: the log does not answer, or is damaged; a room never starts empty instead.
        """
        position = self._positions[room.name] = Position()
        try:
            await self._read(room, position)
        except BaseException:
            del self._positions[room.name]
            raise
        position.is_open = True
        position.checkpoint_bytes = room.document.size_bytes
        if position.early:
            self._fetch_soon(room, position)

    async def close(self, room: LiveRoom) -> None:
        """Leave a checkpoint behind, if there is anything new to put in it.

        Nobody waits for a document to be collected: meanwhile its rows are still there.
        """
        position = self._positions.pop(room.name)
        if position.fetch is not None:
            position.fetch.cancel()
        leaving = self._start(self._leave(room, position))
        if not position.rows or not self._checkpoints.will_collect(room):
            await leaving

    async def _leave(self, room: LiveRoom, position: Position) -> None:
        if position.rows:
            await self._checkpoints.write(room, position)
        await finish_in_slices(room.document.let_go())

    async def finish(self) -> None:
        """Wait for the checkpoints of all rooms that were left."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def is_settled(self, room: LiveRoom) -> bool:
        return room not in self._pending and room not in self._committing

    # -- writing

    def check_accepting(self) -> None:
        if self._pending.size_bytes + self._committing.size_bytes > MAX_PENDING_BYTES:
            raise UnavailableError("The store does not keep up; nothing was lost, try again later.")

    def record(
        self,
        room: LiveRoom,
        update: ParsedUpdate,
        author_id: UUID | None,
        on_saved: Callable[[], None] | None,
    ) -> None:
        self._pending.add(room, update, author_id)
        if on_saved is not None:
            self._pending.when_saved(room, on_saved)
        self._work.set()

    def when_saved(self, room: LiveRoom, call: Callable[[], None]) -> None:
        for pending in (self._pending, self._committing):
            if room in pending:
                pending.when_saved(room, call)
                return
        call()

    async def write(self) -> None:
        """Commit what is recorded, for ever; the one writer of the process.

        Cancelled during a commit, it leaves that commit to end as it may; `drain` it first.
        """
        while True:
            await self._work.wait()
            await asyncio.sleep(self._interval_s)
            self._work.clear()
            await self._commit()

    async def _commit(self) -> None:
        """Commit all that is pending, however often that has to be tried; what comes meanwhile waits."""
        if not self._pending:
            return
        batch, self._pending = self._pending, Pending()
        self._committing = batch
        rows = await batch.encode()
        seqs = await self._append(rows)
        self._committing = Pending()
        try:
            self._committed(batch, rows, seqs)
        except Exception:  # the rows are safe, and who was not told of them reads the log
            logger.exception("A commit could not be told everyone")

    async def _append(self, rows: list[NewRow]) -> list[int | None]:
        waits_s = iter(RETRY_S)
        while True:
            try:
                return await self._log.append(rows)
            except Exception as error:  # whatever it is, what was taken in is not given up
                wait_s = next(waits_s, RETRY_S[-1])
                logger.warning(
                    "%d updates wait for the store, next try in %s s: %s",
                    self._committing.updates + self._pending.updates,
                    wait_s,
                    error,
                    exc_info=not isinstance(error, UnavailableError),
                )
                await asyncio.sleep(wait_s)

    def _committed(self, batch: Pending, rows: list[NewRow], seqs: list[int | None]) -> None:
        committed: dict[LiveRoom, list[tuple[int, bytes]]] = {}
        for pending, row, seq in zip(batch.rows, rows, seqs, strict=True):
            if seq is None:
                pending.room.close_all(ForbiddenError(GONE), is_denial=True)
            else:
                committed.setdefault(pending.room, []).append((seq, row.data))
        for room in committed:
            for call in batch.calls(room):
                call()
        for room, news in committed.items():
            size = sum(len(data) for _, data in news)
            sent = tuple(news) if size <= MAX_PUBLISHED_BYTES else ()
            self._publish(CommittedRows(room.name, news[-1][0], sent))
            if not room.is_closed:  # one of that name that was opened since does not have them
                self._follow(room, [seq for seq, _ in news])

    async def drain(self) -> None:
        """Wait until everything recorded is committed."""
        while self._pending or self._committing:
            self._work.set()
            await asyncio.sleep(self._interval_s)

    # -- following

    def received(self, room: LiveRoom, message: RelayMessage) -> None:
        """Rows that another process has committed."""
        position = self._positions.get(room.name)
        if not isinstance(message, CommittedRows) or position is None:
            return
        if len(message.rows) > MAX_ROWS_AT_ONCE:
            self._start(self._absorb_in_slices(room, message.rows))
        elif message.rows:
            for row in message.rows:
                _absorb(room, position, *row)
            self._follow(room, [seq for seq, _ in message.rows])
        elif message.seq > position.seq:
            self._fetch_soon(room, position)

    async def _absorb_in_slices(self, room: LiveRoom, rows: Sequence[tuple[int, bytes]]) -> None:
        """Take many rows in. Others may come, or be read from the log, meanwhile: in any order."""
        position, turn = self._positions[room.name], Turn()
        for row in rows:
            await turn.rest()
            if self._positions.get(room.name) is not position:  # the room was left
                return
            try:
                _absorb(room, position, *row)
            except MalformedError as error:
                logger.warning("Room %s: a row of another process was refused: %s", room.name, error)
                return
        self._follow(room, [seq for seq, _ in rows])

    def _follow(self, room: LiveRoom, seqs: list[int]) -> None:
        position = self._positions.get(room.name)
        if position is None:
            return
        for seq in seqs:
            position.saw(seq)
        if position.early:
            self._fetch_soon(room, position, after_s=GAP_PATIENCE_S)
        elif position.is_due(room.document.size_bytes):
            self._start(self._checkpoints.write(room, position))

    def _fetch_soon(self, room: LiveRoom, position: Position, after_s: float = 0.0) -> None:
        if position.fetch is None and position.is_open:
            position.fetch = self._start(self._fetch(room, position, after_s))

    async def _fetch(self, room: LiveRoom, position: Position, after_s: float) -> None:
        """Read what is missing; a failure is left to the next message or the timer."""
        try:
            await asyncio.sleep(after_s)
            if after_s == 0 or position.early:
                await self._read(room, position)
        except UnavailableError as error:
            logger.warning("Room %s could not be read from the log: %s", room.name, error)
        except ForbiddenError as error:
            room.close_all(error, is_denial=True)
        finally:
            position.fetch = None

    async def _read(self, room: LiveRoom, position: Position) -> None:
        part = await self._log.read(room.name, position.seq)
        if part is None:
            raise ForbiddenError(GONE)
        try:
            turn = Turn()
            for data in part.updates:
                await room.absorb_in_slices(data)
                await turn.rest()
        except MalformedError as error:  # not the client's fault, so not told as one
            raise UnavailableError(f"The log of the room is damaged: {error}") from error
        position.rows += part.rows
        position.jump(part.seq)

    async def heal(self, rooms: list[LiveRoom]) -> None:
        """Compare the numbers of all live rooms with the log, in one query, and fetch what is missing.

        Raises:
            UnavailableError: the log does not answer.
        """
        heads = await self._log.heads([room.name for room in rooms])
        turn = Turn()
        for room in rooms:
            await turn.rest()
            position = self._positions.get(room.name)
            if position is None or room.is_closed:
                continue
            if room.name not in heads:
                room.close_all(ForbiddenError(GONE), is_denial=True)
            elif heads[room.name] > position.seq:
                self._fetch_soon(room, position)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _absorb(room: LiveRoom, position: Position, seq: int, data: bytes) -> None:
    if seq > position.seq and seq not in position.early:
        room.absorb(parse_update(data))
