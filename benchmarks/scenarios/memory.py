"""What is held for connections and rooms in which nothing happens."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import ClassVar

from benchmarks.generator import Load
from benchmarks.meter import memory_bytes
from benchmarks.scenarios.base import Column, Launch, Outcome, Scenario
from benchmarks.servers.base import Plan, Server

SETTLE_S = 2.0
KIB, MIB = 1024, 1024 * 1024


@dataclass(frozen=True)
class Memory(Scenario):
    """Slopes: the first tenth of the connections is not counted, which pays for what is made once."""

    name: ClassVar = "memory"
    connections: int = 1_000
    rooms: int = 1_000

    columns: ClassVar = (
        Column("base_mib", "base, MiB"),
        Column("connection_kib", "an idle connection, KiB"),
        Column("room_kib", "an idle room beside its connection, KiB"),
    )

    @property
    def title(self) -> str:
        return f"Memory: {self.connections:,} idle connections, {self.rooms:,} idle rooms"

    def quick(self) -> Memory:
        return replace(self, connections=300, rooms=100)

    def measure(self, launch: Launch, load: Load) -> Outcome:
        few = self.connections // 10
        with launch(Plan(rooms=1 + self.rooms, clients_per_room=self.connections)) as server:
            base = _settled(server)
            doors = [server.door(0, client) for client in range(self.connections)]
            load.crowd(server, doors[:few]).open()
            with_few = _settled(server)
            load.crowd(server, doors[few:]).open()
            with_all = _settled(server)
            load.crowd(server, [server.door(1 + room) for room in range(self.rooms)]).open()
            with_rooms = _settled(server)
        connection = (with_all - with_few) / (self.connections - few)
        return Outcome(
            {
                "base_mib": base / MIB,
                "connection_kib": connection / KIB,
                "room_kib": ((with_rooms - with_all) / self.rooms - connection) / KIB,
            }
        )


def _settled(server: Server) -> int:
    time.sleep(SETTLE_S)
    return memory_bytes(*server.pids)
