"""One room, everyone's cursor moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from benchmarks.generator import Load
from benchmarks.scenarios.base import LOAD_COLUMN, Column, Launch, Outcome, Scenario, metered, problems_of
from benchmarks.servers.base import Plan


@dataclass(frozen=True)
class Awareness(Scenario):
    """A state that a later one overtook on the way counts as delivered with it."""

    name: ClassVar = "awareness"
    clients: int = 50
    rate: float = 5.0
    seconds: float = 10.0
    warm_up_s: float = 2.0

    columns: ClassVar = (
        Column("cpu_us", "CPU, µs a delivery"),
        Column("p50_ms", "p50, ms", 2),
        Column("p95_ms", "p95, ms", 2),
        Column("overtaken_percent", "overtaken, %"),
        LOAD_COLUMN,
    )

    @property
    def title(self) -> str:
        return f"Awareness: one room, {self.clients} clients, {self.rate:g} states/s each"

    def quick(self) -> Awareness:
        return replace(self, seconds=2.0, warm_up_s=0.5)

    def measure(self, launch: Launch, load: Load) -> Outcome:
        with launch(Plan(clients_per_room=self.clients)) as server:
            crowd = load.crowd(server, server.doors(1, self.clients))
            crowd.open()
            warm = crowd.tell(rate=self.rate, seconds=self.warm_up_s)
            with metered(server, load) as cost:
                result = crowd.tell(rate=self.rate, seconds=self.seconds)
            problems = problems_of(warm) or problems_of(result, cost)
            crowd.close()
        return Outcome(
            {
                "cpu_us": cost.cpu_us_per_delivery(result),
                "p50_ms": result["times"]["p50"],
                "p95_ms": result["times"]["p95"],
                "overtaken_percent": 100 * result["overtaken"] / max(1, result["delivered"]),
                "load_percent": cost.load_percent,
            },
            problems,
        )
