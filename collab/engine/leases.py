"""Access of open connections: each holds a lease, and a lease that can't be confirmed ends.

A lease holds as long as the epochs (of the room, its organization, the user, the session) at which access
was found stay the same. News that an epoch moved puts the leases concerned in doubt: their writes wait
until access was asked for again. So does the moment at which part of the access ends by itself. A timer
reads the epochs of all leases in one query, so that news that was lost is only a delay, and closes what it
could not confirm in time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from collab.engine.connection import Connection
from collab.engine.errors import CollabError, ForbiddenError, UnauthenticatedError, UnavailableError
from collab.engine.ports import AccessSource, Grant
from collab.engine.room import LiveRoom
from collab.engine.slices import Turn

logger = logging.getLogger("collab.access")

#: Leases are confirmed so many times within the time they are good for.
SWEEPS_PER_LEASE = 6
RETRY_S = 0.5
#: Questions to the access source under way at once.
CONCURRENCY = 8
#: Access that ends by itself is asked for again no sooner than this: no two clocks are quite the same.
SOONEST_S = 0.01

REVOKED = "Your access to this room was taken away."
EXPIRED = "The token has expired."
UNCONFIRMED = "Your access could not be confirmed in time; nothing was lost, try again later."


@dataclass(slots=True, eq=False)
class Lease:
    """The access of one connection, and when it was last known to hold."""

    connection: Connection
    room: LiveRoom
    subject: Any
    grant: Grant
    confirmed_at: float
    doubts: int = 0
    #: When the credential ends, and when part of the access does.
    expiry: asyncio.TimerHandle | None = None
    change: asyncio.TimerHandle | None = None


class LeaseKeeper:
    """The leases of a process.

    Args:
        source: who knows access.
        lease_s: how long a lease is good for without being confirmed.
        clock: seconds, monotonic.
        on_renewed: told what a connection was granted when that was asked for again.
    """

    def __init__(
        self,
        source: AccessSource,
        lease_s: float,
        clock: Callable[[], float],
        on_renewed: Callable[[Connection, Grant], None] = lambda connection, grant: None,
    ) -> None:
        self._on_renewed = on_renewed
        self._source = source
        self._lease_s = lease_s
        self._clock = clock
        self._leases: dict[str, Lease] = {}
        self._by_key: dict[UUID, set[Lease]] = {}
        self._changed_at: dict[UUID, float] = {}
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def sweep_interval_s(self) -> float:
        return self._lease_s / SWEEPS_PER_LEASE

    def hold(
        self,
        connection: Connection,
        room: LiveRoom,
        subject: Any,
        grant: Grant,
        *,
        asked_at: float,
        expires_in_s: float | None = None,
    ) -> None:
        """Watch over a connection from now on.

        Args:
            subject: what the access source is asked with again.
            grant: the access it was let in with.
            asked_at: when that was asked for; what has changed since puts it in doubt at once.
            expires_in_s: how long its credential is still good for.
        """
        lease = Lease(connection, room, subject, grant, asked_at)
        self._leases[connection.id] = lease
        self._index(lease)
        self._wait_for_change(lease)
        self._wait_for_expiry(lease, expires_in_s)
        is_forgotten = self._clock() - asked_at >= self._lease_s  # what was news then
        if is_forgotten or self._has_changed(grant.epochs, asked_at):
            self._doubt(lease)

    def replace_subject(self, connection: Connection, subject: Any, expires_in_s: float | None) -> None:
        """The connection has come with a newer credential: ask for its access with that from now on."""
        lease = self._leases.get(connection.id)
        if lease is not None:
            lease.subject = subject
            self._wait_for_expiry(lease, expires_in_s)
            self._doubt(lease)

    def release(self, connection: Connection) -> None:
        """The connection has gone; harmless if it held no lease."""
        lease = self._leases.pop(connection.id, None)
        if lease is not None:
            self._unindex(lease)
            for timer in (lease.expiry, lease.change):
                if timer is not None:
                    timer.cancel()

    def changed(self, key: UUID) -> None:
        """An epoch has moved: ask again for every lease that was found at it."""
        self._changed_at[key] = self._clock()
        for lease in list(self._by_key.get(key, ())):
            self._doubt(lease)

    async def sweep(self) -> None:
        """Confirm all leases in one query; close those that can't be confirmed before the next sweep."""
        asked_at = self._clock()
        self._changed_at = {key: at for key, at in self._changed_at.items() if at > asked_at - self._lease_s}
        leases = list(self._leases.values())
        turn = Turn()
        try:
            if leases:
                async with asyncio.timeout(self.sweep_interval_s):
                    epochs = await self._source.current_epochs(list(self._by_key))
                for lease in leases:
                    await turn.rest()
                    if all(epochs.get(key) == epoch for key, epoch in lease.grant.epochs.items()):
                        lease.confirmed_at = asked_at
                    else:
                        self._doubt(lease)
        except (UnavailableError, TimeoutError) as error:
            why = error or "the database did not answer in time"
            logger.warning("The access of %d connections could not be confirmed: %s", len(leases), why)
        for lease in leases:
            await turn.rest()
            if self._clock() + self.sweep_interval_s > lease.confirmed_at + self._lease_s:
                self._end(lease, UnavailableError(UNCONFIRMED))

    def _doubt(self, lease: Lease) -> None:
        lease.doubts += 1
        if lease.connection.confirmation is None:
            lease.connection.confirmation = asyncio.Event()
            task = asyncio.get_running_loop().create_task(self._confirm(lease, lease.connection.confirmation))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _confirm(self, lease: Lease, done: asyncio.Event) -> None:
        """Ask for the access of a lease until there is an answer, or the sweep has ended it."""
        connection = lease.connection
        try:
            while self._leases.get(connection.id) is lease:
                if await self._ask(lease):
                    return
        finally:
            connection.confirmation = None
            done.set()

    async def _ask(self, lease: Lease) -> bool:
        """Ask once; tell whether the answer settles it. What changes meanwhile makes it worthless."""
        doubts, asked_at, subject = lease.doubts, self._clock(), lease.subject
        denial: CollabError = ForbiddenError(REVOKED)
        grant: Grant | None = None
        try:
            async with self._slots:
                grant = await self._source.resolve(subject, lease.room.name)
        except (UnauthenticatedError, ForbiddenError) as error:
            denial = error
        except Exception as error:  # whatever it is, the doubt remains
            logger.warning(
                "Access of connection %s could not be asked for: %s",
                lease.connection.id,
                error,
                exc_info=not isinstance(error, UnavailableError),
            )
            await asyncio.sleep(RETRY_S)
            return False
        if lease.subject is not subject:
            return False  # the answer is about a credential that was replaced meanwhile
        if grant is None:
            self._end(lease, denial, is_denial=True)
            return True
        new_keys = grant.epochs.keys() - lease.grant.epochs.keys()  # of these no news has come as a doubt
        if lease.doubts == doubts and not self._has_changed(new_keys, asked_at):
            self._renew(lease, grant, asked_at)
            return True
        return False

    def _has_changed(self, keys: Iterable[UUID], since: float) -> bool:
        return any(self._changed_at.get(key, since - 1) >= since for key in keys)

    def _renew(self, lease: Lease, grant: Grant, asked_at: float) -> None:
        if self._leases.get(lease.connection.id) is lease:
            self._unindex(lease)
            lease.grant = grant
            lease.confirmed_at = asked_at
            lease.room.allow_writing(lease.connection, is_allowed=grant.can_write)
            self._index(lease)
            self._wait_for_change(lease)
            self._on_renewed(lease.connection, grant)

    def _wait_for_expiry(self, lease: Lease, expires_in_s: float | None) -> None:
        lease.expiry = _restarted(lease.expiry, expires_in_s, 0.0, self._expire, lease)

    def _wait_for_change(self, lease: Lease) -> None:
        after_s = lease.grant.changes_in_s
        if after_s is not None:
            after_s -= self._clock() - lease.confirmed_at  # that was said when access was asked for
        lease.change = _restarted(lease.change, after_s, SOONEST_S, self._doubt, lease)

    def _expire(self, lease: Lease) -> None:
        self._end(lease, UnauthenticatedError(EXPIRED), is_denial=True)

    def _end(self, lease: Lease, error: CollabError, *, is_denial: bool = False) -> None:
        if self._leases.get(lease.connection.id) is lease:
            logger.info("Connection %s closed: %s", lease.connection.id, error)
            lease.room.close_connection(lease.connection, error, is_denial=is_denial)
            self.release(lease.connection)

    def _index(self, lease: Lease) -> None:
        for key in lease.grant.epochs:
            self._by_key.setdefault(key, set()).add(lease)

    def _unindex(self, lease: Lease) -> None:
        for key in lease.grant.epochs:
            held = self._by_key[key]
            held.discard(lease)
            if not held:
                del self._by_key[key]


def _restarted(
    timer: asyncio.TimerHandle | None,
    after_s: float | None,
    soonest_s: float,
    call: Callable[[Lease], None],
    lease: Lease,
) -> asyncio.TimerHandle | None:
    """A timer in the place of one that was there; none where there is nothing to wait for."""
    if timer is not None:
        timer.cancel()
    if after_s is None:
        return None
    return asyncio.get_running_loop().call_later(max(soonest_s, after_s), call, lease)
