"""What the engine needs of the world: a log, a relay between processes, and someone who knows access.

Every port has a version in memory (`memory`) and one over Django; one suite of tests runs against
all versions of a port.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class NewRow:
    """An update (Yjs, v1) on its way into the log of a room."""

    room: str
    data: bytes
    author_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class LogPart:
    """What brings a reader to `seq`: updates to take in, in order, of which the last `rows` are rows."""

    seq: int
    updates: list[bytes]
    rows: int


class Log(Protocol):
    """The truth about stored rooms. Rows of a room are numbered from 1, without holes.

    Every call raises `UnavailableError` when the store does not answer.
    """

    async def append(self, rows: Sequence[NewRow]) -> list[int | None]:
        """Commit all rows in one transaction; give their numbers, none where the room is gone."""

    async def read(self, room: str, after: int) -> LogPart | None:
        """What a reader that has everything up to `after` still needs; none if the room is gone."""

    async def heads(self, rooms: Collection[str]) -> dict[str, int]:
        """The last number of each room; a room that is gone is absent."""

    async def checkpoint(self, room: str, seq: int, update: bytes, state_vector: bytes) -> None:
        """Replace all rows up to `seq` by `update`, unless a later checkpoint stands there already."""


@dataclass(frozen=True, slots=True)
class CommittedRows:
    """Rows of the log that others may take in; empty where they are too long to be sent along."""

    room: str
    seq: int
    rows: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class PeerUpdate:
    """News of a room that no log keeps."""

    room: str
    update: bytes


@dataclass(frozen=True, slots=True)
class PeerQuestion:
    """ "This is what I have of the room; send me the rest." The digest is over the delete set."""

    room: str
    state_vector: bytes
    deletes_digest: bytes


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """States of one connection's client ids, in the form of an awareness update.

    `process`: who says so; the relay fills it in.
    """

    room: str
    connection_id: str
    user_id: str | None
    awareness: bytes
    process: str = ""


@dataclass(frozen=True, slots=True)
class PresenceQuestion:
    """ "I just opened the room: who is with you?"."""

    room: str


@dataclass(frozen=True, slots=True)
class BroadcastFrame:
    """A frame of the application, for every connection of the room that speaks y-websocket, as it is."""

    room: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class StatelessMessage:
    """A message of the application to every connection of the room that speaks Hocuspocus."""

    room: str
    payload: str


RelayMessage = (
    CommittedRows
    | PeerUpdate
    | PeerQuestion
    | PresenceChanged
    | PresenceQuestion
    | BroadcastFrame
    | StatelessMessage
)
Receiver = Callable[[RelayMessage], None]
#: Queues a message for the other processes; may lose it.
Publish = Callable[[RelayMessage], None]


class Relay(Protocol):
    """A hint to other processes: messages may be lost, doubled or come late, and nothing breaks."""

    @property
    def reaches_others(self) -> bool:
        """Whether there can be another process at all."""

    async def subscribe(self, room: str, receiver: Receiver) -> None:
        """Hand every message about the room that another process publishes to `receiver`.

        A `PresenceChanged` names that process, in the same way each time.
        """

    async def unsubscribe(self, room: str) -> None: ...

    async def publish(self, *messages: RelayMessage) -> None:
        """Send each to all other processes that subscribed to its room; those of one room stay in order.

        Never raises for a lost message.
        """


class Compactor(Protocol):
    """Who can tell what of a document is garbage; a place where document code may do its worst."""

    async def collect(self, update: bytes) -> bytes:
        """A whole document as an update that no longer holds what was deleted.

        What comes back is not to be trusted: see `compaction.collect`. Cancelling gives the work up.

        Raises:
            CompactionBusyError: not now.
            CompactionError: whatever else went wrong.
        """


@dataclass(frozen=True, slots=True)
class Grant:
    """Access as it was found: it holds while each epoch it was found at stays the same.

    `role`, `user_name`: what others are told of it.
    `epochs`: none where what was found is that there is no such row.
    `changes_in_s`: when to ask again even so, because part of it ends by itself.
    """

    role: str
    can_write: bool
    epochs: Mapping[UUID, int | None]
    changes_in_s: float | None = None
    user_name: str = ""


class AccessSource(Protocol):
    """Who knows what somebody may do now. Both calls raise `UnavailableError` when it can't be known."""

    async def resolve(self, subject: Any, room: str) -> Grant | None:
        """The access to a room; none if there is none.

        Args:
            subject: who asks, and by what right; the engine only hands it over.

        Raises:
            UnauthenticatedError: what the subject came in with is not good any more.
            ForbiddenError: it is to be told something else than that there is no access.
        """

    async def current_epochs(self, keys: Collection[UUID]) -> Mapping[UUID, int]:
        """The epochs of all keys in one query; what no longer exists is absent."""
