"""From a client of one process to a client of another one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from benchmarks.generator import Load
from benchmarks.scenarios.base import LOAD_COLUMN, Column, Launch, Outcome, Scenario, metered, problems_of
from benchmarks.servers.base import Plan
from benchmarks.servers.gatehouse import GatehousePair


@dataclass(frozen=True)
class CrossProcess(Scenario):
    """Two clients a room, one on each process: committed on one side, published over Redis, sent on."""

    name: ClassVar = "cross-process"
    servers: ClassVar = (GatehousePair,)
    rooms: int = 10
    rate: int = 100
    seconds: float = 10.0
    warm_up_s: float = 2.0

    columns: ClassVar = (
        Column("p50_ms", "p50, ms"),
        Column("p95_ms", "p95, ms"),
        Column("p99_ms", "p99, ms"),
        Column("cpu_us", "CPU of both, µs an update", 0),
        LOAD_COLUMN,
    )

    @property
    def title(self) -> str:
        return f"Between two processes: {self.rooms} rooms, {self.rate} updates/s"

    def quick(self) -> CrossProcess:
        return replace(self, seconds=3.0, warm_up_s=1.0)

    def measure(self, launch: Launch, load: Load) -> Outcome:
        with launch(Plan(rooms=self.rooms, clients_per_room=2)) as server:
            crowd = load.crowd(server, server.doors(self.rooms, 2))
            crowd.open()
            warm = crowd.write(rate=self.rate, seconds=self.warm_up_s)
            with metered(server, load) as cost:
                result = crowd.write(rate=self.rate, seconds=self.seconds)
            crowd.close()
        return Outcome(
            {
                "p50_ms": result["times"]["p50"],
                "p95_ms": result["times"]["p95"],
                "p99_ms": result["times"]["p99"],
                "cpu_us": cost.cpu_us_per_delivery(result),
                "load_percent": cost.load_percent,
            },
            problems_of(warm) or problems_of(result, cost),
        )
