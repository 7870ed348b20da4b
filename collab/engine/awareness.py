"""Who is there: the ephemeral states of y-protocols' awareness, kept for one room.

    awareness update: varUint n, n × (varUint client id, varUint clock, varString JSON)

A state replaces another of the same client id when its clock is higher; JSON `null` removes it. A client
id belongs to the connection that first used it, and only another connection of the same user may take it
over (a reconnect): with a newer state, or with the same one as the first thing it says, which is what
clients do. Who is not known can't take over. What others say about a client id is passed over unread:
honest clients repeat what they hear. What came from a process that died is removed, too, without a newer
clock: if it was only slow, the client's next word is news everywhere. Source: y-protocols `awareness.js`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field

from collab.engine.encoding import (
    read_canonical_var_uint,
    read_var_bytes,
    write_var_bytes,
    write_var_uint,
)
from collab.engine.errors import LimitError, MalformedError
from collab.engine.states import NULL
from collab.engine.structs import MAX_CLIENT_BITS, finish

#: The highest clock that JavaScript can read; a removal may have the clock of the state it removes plus one.
MAX_CLOCK = (1 << MAX_CLIENT_BITS) - 1
#: States in one message at most; honest clients repeat what they hear, but not of so many.
MAX_STATES = 10_000
#: States between two yields; well below a millisecond.
STEPS = 256
#: A state of another process that was not renewed for so long is gone; clients renew every 15 s.
OUTDATED_S = 45.0


@dataclass(frozen=True, slots=True)
class AwarenessEntry:
    """One client's state, as JSON text."""

    client: int
    clock: int
    state: bytes

    @property
    def is_removal(self) -> bool:
        return self.state == NULL

    def encode(self) -> bytes:
        """As it stands in an awareness update."""
        return write_var_uint(self.client) + write_var_uint(self.clock) + write_var_bytes(self.state)


@dataclass(frozen=True, slots=True)
class Owner:
    """The connection a client id belongs to; `process` is that of who said so, none where it is this one."""

    connection_id: str
    user_id: str | None = None
    process: str | None = field(default=None, compare=False)

    def may_follow(self, other: Owner) -> bool:
        """Whether a client id that was the other's, who has left it, may be this one's."""
        return self.user_id == other.user_id

    def may_take_over(self, other: Owner) -> bool:
        """Whether a client id may be taken from the other, who still has it."""
        return self.user_id is not None and self.user_id == other.user_id


@dataclass(slots=True)
class _Held:
    entry: AwarenessEntry
    owner: Owner
    seen_at: float
    encoded: bytes  # a removal is not

    def is_there_by(self, process: str) -> bool:
        return self.owner.process == process and not self.entry.is_removal


class Awareness:
    """All states of one room, those of other processes' clients included.

    A removed state is remembered for a while, so that an echo of it does not bring it back, and its client
    id is kept for its user.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held: dict[int, _Held] = {}
        self._owned: dict[str, set[int]] = {}

    def apply(
        self, entries: Iterable[AwarenessEntry], owner: Owner, max_clients: int
    ) -> list[AwarenessEntry]:
        """Take in what `owner` may say; give the entries that changed something.

        Raises:
            MalformedError: the connection would own more than `max_clients` client ids.
        """
        own = self._owned.setdefault(owner.connection_id, set())
        changed = []
        try:
            for entry in entries:
                if self.is_news(entry, owner):
                    if len(own) >= max_clients and entry.client not in own:
                        raise MalformedError(f"More than {max_clients} client ids on one connection.")
                    self._hold(entry, owner)
                    changed.append(entry)
        finally:
            if not own:
                del self._owned[owner.connection_id]
        return changed

    def is_news(self, entry: AwarenessEntry, owner: Owner) -> bool:
        """Whether it is something that `owner` may say, and has not said before."""
        held = self._held.get(entry.client)
        if held is None:
            return not entry.is_removal
        clock = held.entry.clock
        if held.owner == owner:
            is_leaving = entry.is_removal and not held.entry.is_removal
            return entry.clock > clock or (entry.clock == clock and is_leaving)
        if entry.is_removal:
            return False
        if held.entry.is_removal:
            return owner.may_follow(held.owner) and entry.clock > clock
        says_first = not self._owned.get(owner.connection_id)
        return owner.may_take_over(held.owner) and entry.clock >= clock + (not says_first)

    def count_clients(self, entries: Iterable[AwarenessEntry], owner: Owner) -> int:
        """How many client ids the owner would have who says this."""
        return len(self._owned.get(owner.connection_id, set()) | {entry.client for entry in entries})

    def missed_by(self, entries: Iterable[AwarenessEntry], owner: Owner) -> list[AwarenessEntry]:
        """Removals that `owner` can't know of, speaking of a state of theirs that was removed.

        A client that hears that it was removed raises its clock and says again who it is.
        """
        return [
            held.entry
            for entry in entries
            if (held := self._held.get(entry.client)) is not None
            and held.entry.is_removal
            and not entry.is_removal
            and entry.clock <= held.entry.clock
            and owner.may_follow(held.owner)
        ]

    def _hold(self, entry: AwarenessEntry, owner: Owner) -> None:
        held = self._held.get(entry.client)
        if held is not None and held.owner.connection_id != owner.connection_id:
            self._disown(held)
        encoded = b"" if entry.is_removal else entry.encode()
        self._held[entry.client] = _Held(entry, owner, self._clock(), encoded)
        self._owned.setdefault(owner.connection_id, set()).add(entry.client)

    def _disown(self, held: _Held) -> None:
        own = self._owned[held.owner.connection_id]
        own.discard(held.entry.client)
        if not own:
            del self._owned[held.owner.connection_id]

    def clients_of(self, connection_id: str) -> set[int]:
        """The client ids that belong to a connection."""
        return set(self._owned.get(connection_id, ()))

    def remove_connection(self, connection_id: str) -> list[AwarenessEntry]:
        """Take away all states of a connection that has gone."""
        own = [self._held[client] for client in self.clients_of(connection_id)]
        return self._remove(held for held in own if not held.entry.is_removal)

    def expire(self, local_connection_ids: Iterable[str]) -> list[AwarenessEntry]:
        """Take away states that other processes stopped renewing, and forget old removals."""
        if not self._held:
            return []
        local = set(local_connection_ids)
        limit = self._clock() - OUTDATED_S
        old = [h for h in self._held.values() if h.seen_at < limit and h.owner.connection_id not in local]
        for held in old:
            if held.entry.is_removal:
                del self._held[held.entry.client]
                self._disown(held)
        return self._remove(held for held in old if not held.entry.is_removal)

    def clients(self) -> list[int]:
        """All client ids that are known, those that left included."""
        return list(self._held)

    def remove_said_by(self, process: str, clients: Iterable[int]) -> list[AwarenessEntry]:
        """Take away those states of these clients that another process told of."""
        gone = (held for client in clients if (held := self._held.get(client)) is not None)
        return self._remove((held for held in gone if held.is_there_by(process)), clock_step=0)

    def _remove(self, gone: Iterable[_Held], clock_step: int = 1) -> list[AwarenessEntry]:
        removals = []
        for held in list(gone):
            removal = AwarenessEntry(held.entry.client, held.entry.clock + clock_step, NULL)
            self._hold(removal, held.owner)
            removals.append(removal)
        return removals

    def entries(self) -> list[AwarenessEntry]:
        """Everyone who is there now."""
        return [held.entry for held in self._held.values() if not held.entry.is_removal]

    def encode(self) -> bytes | None:
        """Everyone who is there now, as an awareness update; none if nobody is."""
        states = [held.encoded for held in self._held.values() if held.encoded]
        return write_var_uint(len(states)) + b"".join(states) if states else None

    def entries_of(self, connection_ids: Iterable[str]) -> dict[Owner, list[AwarenessEntry]]:
        """The states that belong to these connections, by owner."""
        owned: dict[Owner, list[AwarenessEntry]] = {}
        for connection_id in connection_ids:
            for client in self._owned.get(connection_id, ()):
                held = self._held[client]
                if not held.entry.is_removal:
                    owned.setdefault(held.owner, []).append(held.entry)
        return owned


def decode_awareness(data: bytes) -> list[AwarenessEntry]:
    """Read an awareness update; what its states say is left for `states.checked_state`.

    Raises:
        MalformedError, LimitError: it is not one, or of more than `MAX_STATES`.
    """
    return finish(walk_awareness(data))


def walk_awareness(data: bytes) -> Generator[None, None, list[AwarenessEntry]]:
    """As `decode_awareness`, in slices."""
    count, pos = read_canonical_var_uint(data, 0)
    if count * 3 > len(data) - pos:
        raise MalformedError(f"An awareness update of {count} clients is longer than its message.")
    if count > MAX_STATES:
        raise LimitError(f"An awareness update may have at most {MAX_STATES} states.")
    entries = []
    for index in range(count):
        if index % STEPS == STEPS - 1:
            yield
        client, pos = read_canonical_var_uint(data, pos)
        clock, pos = read_canonical_var_uint(data, pos)
        state, pos = read_var_bytes(data, pos)
        if client >> MAX_CLIENT_BITS or clock >= MAX_CLOCK:
            raise MalformedError("A client id or clock of the awareness update is out of range.")
        entries.append(AwarenessEntry(client, clock, state))
    if pos != len(data):
        raise MalformedError(f"{len(data) - pos} bytes follow the end of the awareness update.")
    return entries


def encode_awareness(entries: list[AwarenessEntry]) -> bytes:
    return write_var_uint(len(entries)) + b"".join([entry.encode() for entry in entries])
