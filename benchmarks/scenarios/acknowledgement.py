"""Saved means saved: how long until the database has it, and how many transactions that takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from benchmarks.generator import Load
from benchmarks.scenarios.base import LOAD_COLUMN, Column, Launch, Outcome, Scenario, metered, problems_of
from benchmarks.servers.base import Plan
from benchmarks.servers.gatehouse import Gatehouse, GatehousePostgres


@dataclass(frozen=True)
class Acknowledgement(Scenario):
    """One client a room, with `?echo=1`: its update comes back when it is committed."""

    name: ClassVar = "acknowledgement"
    servers: ClassVar = (Gatehouse, GatehousePostgres)
    rooms: int = 200
    rate: int = 1_000
    seconds: float = 60.0
    warm_up_s: float = 2.0

    columns: ClassVar = (
        Column("p50_ms", "p50, ms"),
        Column("p95_ms", "p95, ms"),
        Column("p99_ms", "p99, ms"),
        Column("acks_per_s", "acknowledged/s", 0),
        Column("commits_per_s", "transactions/s", 0),
        Column("cpu_us", "CPU, µs an update", 0),
        LOAD_COLUMN,
    )

    @property
    def title(self) -> str:
        return f"Acknowledged after the commit: {self.rate:,} updates/s over {self.rooms} rooms"

    def quick(self) -> Acknowledgement:
        return replace(self, seconds=5.0)

    def measure(self, launch: Launch, load: Load) -> Outcome:
        with launch(Plan(rooms=self.rooms)) as server:
            doors = [replace(door, path=f"{door.path}&echo=1") for door in server.doors(self.rooms, 1)]
            crowd = load.crowd(server, doors)
            crowd.open()
            crowd.write(rate=self.rate, seconds=self.warm_up_s, awaitOwn=True)
            commits = server.commits()
            with metered(server, load) as cost:
                result = crowd.write(rate=self.rate, seconds=self.seconds, awaitOwn=True)
            commits = server.commits() - commits
            crowd.close()
        own, problems = result["own"], problems_of(result, cost)
        if own["count"] < result["sent"]:
            problems.append(f"{result['sent'] - own['count']} updates were never acknowledged")
        return Outcome(
            {
                "p50_ms": own["p50"],
                "p95_ms": own["p95"],
                "p99_ms": own["p99"],
                "acks_per_s": own["count"] / cost.server.at_s,
                "commits_per_s": commits / cost.server.at_s,
                "cpu_us": cost.cpu_us_per(own["count"]),
                "load_percent": cost.load_percent,
            },
            problems,
        )
