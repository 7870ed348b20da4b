"""One room, everyone types in turn, everyone else gets it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from benchmarks.generator import Load
from benchmarks.scenarios.base import LOAD_COLUMN, Column, Launch, Outcome, Scenario, metered, problems_of
from benchmarks.servers.base import Plan
from benchmarks.servers.catalogue import WITH_FLOOR
from benchmarks.verify import problems_of_sample


@dataclass(frozen=True)
class FanOut(Scenario):
    """`rate` updates a second in all; every receiver's clocks are checked, one client's document too."""

    clients: int
    rate: int
    seconds: float = 20.0
    warm_up_s: float = 2.0

    servers: ClassVar = WITH_FLOOR
    columns: ClassVar = (
        Column("cpu_us", "CPU, µs a delivery"),
        Column("p50_ms", "p50, ms", 2),
        Column("p95_ms", "p95, ms", 2),
        Column("updates_per_frame", "updates a frame"),
        LOAD_COLUMN,
    )

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"fan-out-{self.clients}"

    @property
    def title(self) -> str:
        return f"Fan-out: one room, {self.clients} clients, {self.rate} updates/s"

    def quick(self) -> FanOut:
        return replace(self, seconds=2.0, warm_up_s=0.5)

    def measure(self, launch: Launch, load: Load) -> Outcome:
        with launch(Plan(clients_per_room=self.clients)) as server:
            crowd = load.crowd(server, server.doors(1, self.clients))
            crowd.open()
            sampled = self.clients - 1
            warm = crowd.write(rate=self.rate, seconds=self.warm_up_s, sample=sampled)
            with metered(server, load) as cost:
                result = crowd.write(rate=self.rate, seconds=self.seconds)
            problems = problems_of(warm) or problems_of(result, cost)
            problems += problems_of_sample(crowd.sample(sampled)) if not problems else []
            crowd.close()
        return Outcome(
            {
                "cpu_us": cost.cpu_us_per_delivery(result),
                "p50_ms": result["times"]["p50"],
                "p95_ms": result["times"]["p95"],
                "updates_per_frame": result["delivered"] / max(1, result["frames"]),
                "load_percent": cost.load_percent,
            },
            problems,
        )
