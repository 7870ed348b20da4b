"""A stored room that many open at once is read from the database once a process."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import ClassVar

from benchmarks.generator import Load
from benchmarks.scenarios.base import LOAD_COLUMN, Column, Launch, Outcome, Scenario, metered
from benchmarks.servers.base import Plan
from benchmarks.servers.gatehouse import GatehousePostgres

#: What reading a room's log asks for, once for each read.
LOG_TABLE = "collab_storedupdate"
#: Until the processes have left the room, and its checkpoint is written.
LEAVE_S = 4.0


@dataclass(frozen=True)
class SingleLoad(Scenario):
    """Counted in the log of PostgreSQL (`log_statement=all`); the room is in no process before."""

    name: ClassVar = "single-load"
    servers: ClassVar = (GatehousePostgres,)
    clients: int = 500
    size_bytes: int = 1_000_000
    timeout_s: float = 60.0

    columns: ClassVar = (
        Column("loads", "reads of the room's log", 0),
        Column("statements", "SQL statements a client"),
        Column("level_s", "all level after, s", 2),
        LOAD_COLUMN,
    )

    @property
    def title(self) -> str:
        size = self.size_bytes / 1e6
        return f"One load for all: {self.clients} clients open a stored room of {size:g} MB at once"

    def quick(self) -> SingleLoad:
        return replace(self, clients=100)

    def measure(self, launch: Launch, load: Load) -> Outcome:
        with launch(Plan(clients_per_room=self.clients)) as server:
            authors = load.crowd(server, server.doors(1, 2))
            authors.open()
            authors.seed(self.size_bytes)
            authors.close()
            time.sleep(LEAVE_S)
            crowd = load.crowd(server, server.doors(1, self.clients))
            with server.logged_statements() as statements, metered(server, load) as cost:
                result = crowd.join(self.size_bytes, timeout_s=self.timeout_s)
            crowd.close()
        level = result["level"]
        return Outcome(
            {
                "loads": sum(f'SELECT "{LOG_TABLE}"' in statement for statement in statements),
                "statements": len(statements) / self.clients,
                "level_s": result["seconds"],
                "load_percent": cost.load_percent,
            },
            [] if level == self.clients else [f"only {level} of {self.clients} clients were level"],
        )
