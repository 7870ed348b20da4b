"""How much one room can take before people notice."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from benchmarks.generator import Crowd, Load, LoadError, Result
from benchmarks.scenarios.base import (
    BUSY_LOAD,
    LOAD_COLUMN,
    Column,
    Cost,
    Launch,
    Outcome,
    Scenario,
    metered,
    problems_of,
)
from benchmarks.servers.base import Plan

#: No limit of messages, or a client would be sent away before the server is at its own.
NO_LIMIT = {"COLLAB_MESSAGES_PER_S": 1_000_000, "COLLAB_MESSAGE_BURST": 1_000_000}


@dataclass(frozen=True, slots=True)
class _Step:
    rate: float
    result: Result
    cost: Cost
    is_good: bool


@dataclass(frozen=True)
class Saturation(Scenario):
    """The rate is raised fourfold until the 95th percentile is late, then halved in between, in the log."""

    name: ClassVar = "saturation"
    clients: int = 50
    late_ms: float = 250.0
    seconds: float = 3.0
    first_rate: float = 20.0
    halvings: int = 4
    max_rate: float = 100_000.0

    columns: ClassVar = (
        Column("deliveries_per_s", "deliveries/s", 0),
        Column("updates_per_s", "updates/s", 0),
        Column("cpu_us", "CPU, µs a delivery"),
        Column("p95_ms", "p95, ms"),
        Column("updates_per_frame", "updates a frame"),
        LOAD_COLUMN,
    )

    @property
    def title(self) -> str:
        return f"Saturation: one room, {self.clients} clients, p95 under {self.late_ms:g} ms"

    def quick(self) -> Saturation:
        return replace(self, seconds=1.0, halvings=1, first_rate=80.0)

    def measure(self, launch: Launch, load: Load) -> Outcome:
        best: _Step | None = None
        limit: float | None = None
        rate = self.first_rate
        halvings = 0
        while halvings <= self.halvings and rate <= self.max_rate:
            with launch(Plan(clients_per_room=self.clients, limits=NO_LIMIT)) as server:
                crowd = load.crowd(server, server.doors(1, self.clients))
                crowd.open()
                while rate <= self.max_rate and halvings <= self.halvings:
                    step = self._try(crowd, load, rate)
                    if step.is_good:
                        best = step
                    else:
                        limit = rate
                    if limit is None:
                        rate *= 4
                    elif best is None:
                        rate /= 4
                        halvings += 1
                    else:
                        rate = math.sqrt(best.rate * limit)
                        halvings += 1
                    if not step.is_good:
                        break  # what it still owes would be counted with the next step
        return self._outcome(best)

    def _try(self, crowd: Crowd, load: Load, rate: float) -> _Step:
        try:
            crowd.write(rate=rate, seconds=self.seconds / 3, giveUpMs=2000)
            with metered(crowd.server, load) as cost:
                result = crowd.write(rate=rate, seconds=self.seconds, giveUpMs=2000, drainMs=3000)
        except LoadError:
            return _Step(rate, {}, Cost(), is_good=False)
        p95 = result["times"]["p95"]
        is_good = (
            result["isWhole"] and not problems_of(result) and p95 is not None and p95 < self.late_ms
            and result["sent"] / result["seconds"] > 0.95 * rate
        )  # fmt: skip
        return _Step(rate, result, cost, is_good)

    def _outcome(self, best: _Step | None) -> Outcome:
        if best is None:
            return Outcome({}, ["late at every rate that was tried"])
        result, cost = best.result, best.cost
        is_busy = cost.load.share > BUSY_LOAD
        return Outcome(
            {
                "deliveries_per_s": result["delivered"] / cost.server.at_s,
                "updates_per_s": best.rate,
                "cpu_us": cost.cpu_us_per_delivery(result),
                "p95_ms": result["times"]["p95"],
                "updates_per_frame": result["delivered"] / result["frames"],
                "load_percent": cost.load_percent,
            },
            ["the load is the limit: the server could do more"] if is_busy else [],
        )
