"""Who is connected: a row for each open connection of this process, which all processes can read.

    opened, changed, closed ─▶ a moment later, one transaction for all of it

Written behind the connections, so that nobody waits for it. The rows of a process count while it is
seen: it says so every few seconds, and those of one that was killed are deleted by the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models.functions import Now

from collab.engine.errors import UnavailableError
from collab.ids import IsAnyOf
from collab.models import LiveConnection, ServerProcess
from collab.rows import insert_rows
from collab.selectors import PROCESS_GONE_S
from collab.threads import DatabaseThreads

logger = logging.getLogger("collab.roster")

#: From the first change to the transaction that writes it.
WRITE_DELAY_S = 0.05
#: How often a process says that it is there.
BEAT_S = 5.0
RETRY_S = 1.0
#: After so long the rows of a process that was not seen are deleted.
FORGET_S = 4 * PROCESS_GONE_S

_COLUMNS = tuple(field.attname for field in LiveConnection._meta.concrete_fields)


class Roster:
    """See the module. What is told here is what should be written; a failure is made good by the next."""

    def __init__(self) -> None:
        self.process_id = uuid4()
        self._threads = DatabaseThreads("roster", 1)
        self._rows: dict[UUID, LiveConnection] = {}
        self._written: dict[UUID, str] | None = None  # the roles in the database, where that is known
        self._touched: set[UUID] = set()  # what may be another there
        self._work = asyncio.Event()
        self._beat_at = 0.0
        self._has_beaten = False

    def opened(self, row: LiveConnection) -> None:
        """A connection has joined a room; its `process_id` is filled in."""
        row.process_id = self.process_id
        self._rows[row.pk] = row
        self._touch(row.pk)

    def changed(self, connection_id: UUID, role: str) -> None:
        """The role of a connection is another one; harmless if it has closed."""
        row = self._rows.get(connection_id)
        if row is not None and row.role != role:
            row.role = role
            self._touch(connection_id)

    def closed(self, connection_id: UUID) -> None:
        """A connection has left its room; harmless if it never joined."""
        if self._rows.pop(connection_id, None) is not None:
            self._touch(connection_id)

    def _touch(self, connection_id: UUID) -> None:
        self._touched.add(connection_id)
        self._work.set()

    def beat_now(self) -> None:
        """Say that this process is there without waiting for the time to do so."""
        self._beat_at = 0.0
        self._work.set()

    async def run(self) -> None:
        """Write what changes, and that this process is there, for ever.

        A process without stored rooms needs no database, and says nothing.
        """
        await self._work.wait()
        while True:
            try:
                await self._beat()
                await self._write()
            except UnavailableError as error:
                logger.warning("Who is connected could not be written: %s", error)
                self._work.set()
                await asyncio.sleep(RETRY_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._beat_at - time.monotonic())):
                    await self._work.wait()
            await asyncio.sleep(WRITE_DELAY_S)

    async def _beat(self) -> None:
        if time.monotonic() >= self._beat_at:
            self._has_beaten = True
            was_known = await self._threads.run(_beat, self.process_id)
            self._beat_at = time.monotonic() + BEAT_S
            if not was_known:
                self._written = None

    async def _write(self) -> None:
        """Bring the database from what it holds to what should be there."""
        self._work.clear()
        touched, self._touched = self._touched, set()
        if self._written is None:
            self._written = await self._threads.run(_written_roles, self.process_id)
            touched = self._rows.keys() | self._written.keys()
        written, self._written = self._written, None  # cancelled or failed, nobody can tell
        there = [row for pk in touched if (row := self._rows.get(pk)) is not None]
        new = [row for row in there if row.pk not in written]
        moved = [row for row in there if written.get(row.pk, row.role) != row.role]
        gone = [pk for pk in touched if pk in written and pk not in self._rows]
        written |= {row.pk: row.role for row in (*new, *moved)}
        for pk in gone:
            del written[pk]
        if new or moved or gone:
            await self._threads.run(_write_rows, new, moved, gone)
        self._written = written

    async def leave(self) -> None:
        """Take the process and all its rows away, at its end; call it when `run` has ended."""
        self._rows.clear()
        if not self._has_beaten:
            return
        try:
            await self._threads.run(_forget, [self.process_id])
        except UnavailableError as error:
            logger.warning("This process is forgotten in %d s, not at once: %s", FORGET_S, error)

    def close(self) -> None:
        """Close the thread; blocks until it is idle."""
        self._threads.close()


@transaction.atomic
def _beat(process_id: UUID) -> bool:
    """Say that the process is there, and forget those that are not; tells whether it was known."""
    was_known = ServerProcess.objects.filter(pk=process_id).update(seen_at=Now()) > 0
    if not was_known:
        ServerProcess.objects.bulk_create([ServerProcess(pk=process_id, seen_at=Now())])
    gone = ServerProcess.objects.filter(seen_at__lt=Now() - timedelta(seconds=FORGET_S))
    _forget(list(gone.values_list("pk", flat=True)))
    return was_known


def _written_roles(process_id: UUID) -> dict[UUID, str]:
    return dict(LiveConnection.objects.filter(process_id=process_id).values_list("pk", "role"))


@transaction.atomic
def _write_rows(new: Sequence[LiveConnection], moved: Sequence[LiveConnection], gone: Sequence[UUID]) -> None:
    values = [[getattr(row, name) for name in _COLUMNS] for row in new]
    insert_rows(LiveConnection, _COLUMNS, values, ignore_conflicts=True)  # it may be called twice
    LiveConnection.objects.bulk_update(moved, ["role"], batch_size=500)
    LiveConnection.objects.filter(IsAnyOf("pk", gone)).delete()


@transaction.atomic
def _forget(process_ids: Collection[UUID]) -> None:
    if process_ids:
        LiveConnection.objects.filter(process_id__in=process_ids).delete()
        ServerProcess.objects.filter(pk__in=process_ids).delete()
