"""Everyone opens the same document at once, as after a restart of a proxy or at the start of a meeting."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import ClassVar

from benchmarks.generator import Load
from benchmarks.scenarios.base import LOAD_COLUMN, Column, Launch, Outcome, Scenario, metered
from benchmarks.servers.base import Plan

#: A moment in which the server stores what was written.
SETTLE_S = 1.0


@dataclass(frozen=True)
class JoinStorm(Scenario):
    """Until every client has every clock of the document; two who had it stay there."""

    name: ClassVar = "join-storm"
    clients: int = 200
    size_bytes: int = 1_000_000
    timeout_s: float = 60.0

    columns: ClassVar = (
        Column("level_s", "all level after, s", 2),
        Column("p50_s", "half of them after, s", 2),
        Column("cpu_ms", "CPU, ms a client", 1),
        LOAD_COLUMN,
    )

    @property
    def title(self) -> str:
        return f"Join storm: {self.clients} clients open a room of {self.size_bytes / 1e6:g} MB at once"

    def quick(self) -> JoinStorm:
        return replace(self, clients=50, timeout_s=15.0)

    def measure(self, launch: Launch, load: Load) -> Outcome:
        with launch(Plan(clients_per_room=self.clients + 2)) as server:
            authors = load.crowd(server, server.doors(1, 2))
            authors.open()
            authors.seed(self.size_bytes)
            time.sleep(SETTLE_S)
            crowd = load.crowd(server, server.doors(1, self.clients + 2)[2:])
            with metered(server, load) as cost:
                result = crowd.join(self.size_bytes, timeout_s=self.timeout_s)
            crowd.close()
        problems = []
        if result["level"] < self.clients:
            problems.append(f"after {self.timeout_s:g} s only {result['level']} clients were level")
        p50_ms = result["waits"]["p50"]
        return Outcome(
            {
                "level_s": result["seconds"],
                "p50_s": None if p50_ms is None or problems else p50_ms / 1000,
                "cpu_ms": cost.server.cpu_s * 1000 / self.clients,
                "load_percent": cost.load_percent,
            },
            problems,
        )
