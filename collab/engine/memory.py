"""The ports in memory: what a room without a store lives on, and what tests compare the others with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from collab.engine.ports import LogPart, NewRow, PresenceChanged, Receiver, RelayMessage


class MemoryLog:
    """A log that lasts as long as the object; several registries may share it, as processes would."""

    def __init__(self, rooms: Collection[str] = ()) -> None:
        self._rows: dict[str, dict[int, bytes]] = {room: {} for room in rooms}
        self._heads = dict.fromkeys(rooms, 0)
        self._checkpoints: dict[str, tuple[int, bytes]] = {}

    def add_room(self, room: str) -> None:
        self._rows[room] = {}
        self._heads[room] = 0

    def remove_room(self, room: str) -> None:
        del self._rows[room], self._heads[room]
        self._checkpoints.pop(room, None)

    async def append(self, rows: Sequence[NewRow]) -> list[int | None]:
        return [self._append(row) for row in rows]

    def _append(self, row: NewRow) -> int | None:
        if row.room not in self._heads:
            return None
        seq = self._heads[row.room] = self._heads[row.room] + 1
        self._rows[row.room][seq] = row.data
        return seq

    async def read(self, room: str, after: int) -> LogPart | None:
        if room not in self._heads:
            return None
        updates = []
        seq, joined = self._checkpoints.get(room, (0, b""))
        if seq > after:
            updates.append(joined)
        rows = {n: data for n, data in self._rows[room].items() if n > max(seq, after)}
        updates += rows.values()
        return LogPart(self._heads[room], updates, len(rows))

    async def heads(self, rooms: Collection[str]) -> dict[str, int]:
        return {room: self._heads[room] for room in rooms if room in self._heads}

    async def checkpoint(self, room: str, seq: int, update: bytes, state_vector: bytes) -> None:
        if room in self._heads and seq > self._checkpoints.get(room, (0, b""))[0]:
            self._checkpoints[room] = seq, update
            self._rows[room] = {n: data for n, data in self._rows[room].items() if n > seq}


class MemoryHub:
    """What connects the memory relays of several registries in one process."""

    def __init__(self) -> None:
        self.relays: list[MemoryRelay] = []

    def relay(self) -> MemoryRelay:
        relay = MemoryRelay(self, f"process {len(self.relays)}")
        self.relays.append(relay)
        return relay


class MemoryRelay:
    """A relay to the other relays of its hub; delivers at once, or not at all."""

    def __init__(self, hub: MemoryHub, process: str) -> None:
        self._hub = hub
        self._process = process
        self.receivers: dict[str, Receiver] = {}

    @property
    def reaches_others(self) -> bool:
        return True

    async def subscribe(self, room: str, receiver: Receiver) -> None:
        self.receivers[room] = receiver

    async def unsubscribe(self, room: str) -> None:
        self.receivers.pop(room, None)

    async def publish(self, *messages: RelayMessage) -> None:
        for message in messages:
            if isinstance(message, PresenceChanged):
                message = replace(message, process=self._process)  # noqa: PLW2901
            for relay in self._hub.relays:
                if relay is not self and message.room in relay.receivers:
                    relay.receivers[message.room](message)
