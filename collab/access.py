"""The engine's access source over the ORM: one resolver for HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from collab import selectors
from collab.engine.ports import Grant
from collab.threads import DatabaseThreads

READERS = 4


class DatabaseAccess:
    """See `engine.ports.AccessSource`. Keys of epochs are the ids of room, organization and user."""

    def __init__(self) -> None:
        self._readers = DatabaseThreads("access-reader", READERS)

    async def resolve(self, user_id: UUID, room: str) -> Grant | None:
        found = await self._readers.run(selectors.find_room_access, user_id, UUID(room))
        if found is None:
            return None
        epochs = {
            found.room_id: found.room_epoch,
            found.organization_id: found.organization_epoch,
            found.user_id: found.user_epoch,
        }
        return Grant(role=str(found.access.role), can_write=found.access.abilities.write, epochs=epochs)

    async def current_epochs(self, keys: Collection[UUID]) -> Mapping[UUID, int]:
        return await self._readers.run(selectors.current_epochs, keys, keys, keys)

    def close(self) -> None:
        """Close the threads; blocks until they are idle."""
        self._readers.close()
