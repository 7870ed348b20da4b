"""Many small rooms at the same time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from benchmarks.generator import Load
from benchmarks.scenarios.base import LOAD_COLUMN, Column, Launch, Outcome, Scenario, metered, problems_of
from benchmarks.servers.base import Plan
from benchmarks.servers.catalogue import WITH_FLOOR


@dataclass(frozen=True)
class ManyRooms(Scenario):
    """Two clients in each room, each of them typing."""

    name: ClassVar = "many-rooms"
    rooms: int = 500
    rate: float = 1.0
    seconds: float = 10.0
    warm_up_s: float = 2.0

    servers: ClassVar = WITH_FLOOR
    columns: ClassVar = (
        Column("cpu_us", "CPU, µs an update", 0),
        Column("p50_ms", "p50, ms", 2),
        Column("p95_ms", "p95, ms", 2),
        LOAD_COLUMN,
    )

    @property
    def title(self) -> str:
        return f"Many rooms: {self.rooms} rooms × 2 clients, {self.rate:g} updates/s each"

    def quick(self) -> ManyRooms:
        return replace(self, rooms=100, seconds=2.0, warm_up_s=0.5)

    def measure(self, launch: Launch, load: Load) -> Outcome:
        with launch(Plan(rooms=self.rooms, clients_per_room=2)) as server:
            crowd = load.crowd(server, server.doors(self.rooms, 2))
            crowd.open()
            rate = self.rate * self.rooms * 2
            warm = crowd.write(rate=rate, seconds=self.warm_up_s)
            with metered(server, load) as cost:
                result = crowd.write(rate=rate, seconds=self.seconds)
            problems = problems_of(warm) or problems_of(result, cost)
            crowd.close()
        return Outcome(
            {
                "cpu_us": cost.cpu_us_per_delivery(result),
                "p50_ms": result["times"]["p50"],
                "p95_ms": result["times"]["p95"],
                "load_percent": cost.load_percent,
            },
            problems,
        )
