"""Clients that come in: for Gatehouse that is a token to verify and access to decide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from benchmarks.generator import Load
from benchmarks.scenarios.base import LOAD_COLUMN, Column, Launch, Outcome, Scenario, metered
from benchmarks.servers.base import Plan


@dataclass(frozen=True)
class Opening(Scenario):
    """Each until it has the (empty) document; some wait for their answer at the same moment."""

    name: ClassVar = "opening"
    rooms: int = 100
    clients_per_room: int = 10
    in_flight: int = 32

    columns: ClassVar = (
        Column("cpu_us", "CPU, µs a connection", 0),
        Column("per_s", "connections/s", 0),
        Column("p50_ms", "p50, ms"),
        Column("p95_ms", "p95, ms"),
        LOAD_COLUMN,
    )

    @property
    def title(self) -> str:
        count = self.rooms * self.clients_per_room
        return f"Opening {count:,} connections in {self.rooms} rooms, {self.in_flight} at a time"

    def quick(self) -> Opening:
        return replace(self, rooms=30)

    def measure(self, launch: Launch, load: Load) -> Outcome:
        with launch(Plan(rooms=self.rooms + 1, clients_per_room=self.clients_per_room)) as server:
            load.crowd(server, [server.door(self.rooms)]).open()  # the first one pays for imports
            crowd = load.crowd(server, server.doors(self.rooms, self.clients_per_room))
            with metered(server, load) as cost:
                result = crowd.open(in_flight=self.in_flight)
            crowd.close()
        return Outcome(
            {
                "cpu_us": cost.cpu_us_per(crowd.size),
                "per_s": crowd.size / result["seconds"],
                "p50_ms": result["waits"]["p50"],
                "p95_ms": result["waits"]["p95"],
                "load_percent": cost.load_percent,
            }
        )
