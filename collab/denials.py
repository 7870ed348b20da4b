"""Writes that were denied, on their way into the audit trail.

    denied ─▶ the first of a burst ─▶ a bounded queue ─▶ a moment later, one transaction for all of it

Written behind the connections, so that nobody waits for it. A client that may only read tries again with
every key: all denials of one user in one room, with less than a minute between two, are one burst, over
however many connections. A burst is written when it begins; how many writes it was is told with the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from accounts.audit import AuditAction, record
from accounts.models import User
from collab.engine.errors import UnavailableError
from collab.ids import IsAnyOf
from collab.models import Room
from collab.threads import DatabaseThreads

logger = logging.getLogger("collab.denials")

#: So long without a denied write ends a burst.
BURST_S = 60.0
#: Users in rooms that are remembered; beyond, who was denied longest ago begins a new burst next time.
MAX_BURSTS = 10_000
#: Entries that wait for the database; what is beyond is lost, with a line in the log.
MAX_WAITING = 1_000
#: Entries in one transaction.
GROUP = 50
#: From the first denial to the transaction that writes it.
WRITE_DELAY_S = 0.1
RETRY_S = 1.0


@dataclass(slots=True)
class _Burst:
    last_at: float
    writes: int = 1


class DeniedWrite(NamedTuple):
    """The first of a burst, by whom (and from where: `user.origin`), over which connection.

    `writes_before`: of the burst before it, if that is remembered.
    """

    user: User
    room_id: UUID
    connection_id: UUID
    writes_before: int


class DeniedWrites:
    """See the module.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._threads = DatabaseThreads("denials", 1)
        self._bursts: OrderedDict[tuple[UUID, UUID], _Burst] = OrderedDict()
        self._waiting: deque[DeniedWrite] = deque()
        self._work = asyncio.Event()
        self._lost = 0

    def denied(self, user: User, room_id: UUID, connection_id: UUID) -> None:
        """A write was not taken in because the connection may only read. Does not wait."""
        key, now = (user.pk, room_id), self._clock()
        burst = self._bursts.pop(key, None)
        if burst is not None and now - burst.last_at < BURST_S:
            burst.last_at, burst.writes = now, burst.writes + 1
            self._bursts[key] = burst
            return
        self._bursts[key] = _Burst(now)
        if len(self._bursts) > MAX_BURSTS:
            self._bursts.popitem(last=False)
        self._add(DeniedWrite(user, room_id, connection_id, burst.writes if burst else 0))

    def _add(self, denial: DeniedWrite) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(denial)
            self._work.set()
            return
        if self._lost == 0:
            logger.error("Denied writes are lost for the audit trail: %d wait already", MAX_WAITING)
        self._lost += 1

    async def run(self) -> None:
        """Write what is denied, for ever. Cancelled, the group at hand goes on to its end."""
        while True:
            await self._work.wait()
            await asyncio.sleep(WRITE_DELAY_S)
            try:
                await self._write()
            except UnavailableError as error:
                logger.warning("Denied writes wait for the audit trail: %s", error)
                await asyncio.sleep(RETRY_S)

    async def _write(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(GROUP, len(self._waiting)))]
            try:
                await self._threads.run(_record, group)
            except UnavailableError:
                self._waiting.extendleft(reversed(group))
                raise
        self._work.clear()
        if self._lost:
            logger.error("%d denied writes were lost for the audit trail", self._lost)
            self._lost = 0

    async def finish(self) -> None:
        """Write what is left, at the end of the process; call it when `run` has ended."""
        try:
            await self._write()
        except UnavailableError as error:
            waiting = len(self._waiting)
            logger.critical("%d denied writes are lost for the audit trail: %s", waiting, error)

    def close(self) -> None:
        """Close the thread; blocks until it is idle."""
        self._threads.close()


@transaction.atomic
def _record(group: list[DeniedWrite]) -> None:
    """Called twice, where the database answered and nobody heard it, it writes twice: better than never."""
    rooms = Room.objects.filter(IsAnyOf("pk", {denial.room_id for denial in group}))
    organizations = dict(rooms.values_list("pk", "organization_id"))
    known = [denial for denial in group if denial.room_id in organizations]
    for denial in sorted(known, key=lambda each: organizations[each.room_id]):
        record(
            AuditAction.WRITE_DENIED,
            organization_id=organizations[denial.room_id],
            actor=denial.user,
            room_id=denial.room_id,
            connection=str(denial.connection_id),
            writes_before=denial.writes_before,
        )
