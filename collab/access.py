"""The engine's access source over the ORM: one resolver for HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.utils import timezone

from accounts.middleware import AuthUnavailableError, Check
from accounts.models import User
from accounts.tokens import Credential, TokenRefusedError
from collab import live_access
from collab.engine.errors import ForbiddenError, UnauthenticatedError
from collab.engine.ports import Grant
from collab.threads import DatabaseThreads, DatabaseUnavailableError

#: Threads that ask. SQLite answers within the process: more than one would only wait for each other.
READERS = {"postgresql": 4, "sqlite": 1}

KICKED = "You were sent away from this room."


class DatabaseAccess:
    """See `engine.ports.AccessSource`; a subject is a `live_access.Subject`.

    Keys of epochs are the ids of room, organization and user, and of the session and the ticket that the
    subject came in with: these have an epoch, always the same, until they are ended. The id of the
    connection has one when it was sent away.
    """

    def __init__(self) -> None:
        self._readers = DatabaseThreads("access-reader", READERS[connection.vendor])
        # Leases end when nobody confirms them: that must not wait for somebody's ticket to be written down.
        self._confirmer = DatabaseThreads("access-confirmer", 1)

    async def resolve(self, subject: live_access.Subject, room: str) -> Grant | None:
        try:
            found = await self._readers.run(live_access.find_room_access, subject, UUID(room))
        except TokenRefusedError as error:
            raise UnauthenticatedError(str(error)) from error
        except live_access.KickedError as error:
            raise ForbiddenError(KICKED) from error
        if found is None:
            return None
        return Grant(
            role=str(found.access.role),
            can_write=found.access.abilities.write,
            epochs=found.epochs,
            changes_in_s=_seconds_until(found.changes_at),
            user_name=found.user_name,
        )

    async def current_epochs(self, keys: Collection[UUID]) -> Mapping[UUID, int]:
        return await self._confirmer.run(live_access.current_epochs, keys)

    async def authenticate(self, check: Check) -> tuple[User, Credential]:
        """Run a check of a credential: see `accounts.middleware.InThread`."""
        try:
            return await self._readers.run(check)
        except DatabaseUnavailableError as error:
            raise AuthUnavailableError(str(error)) from error

    def close(self) -> None:
        """Close the threads; blocks until they are idle."""
        self._readers.close()
        self._confirmer.close()


def _seconds_until(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - timezone.now()).total_seconds()
