"""Cost as work grows: what should be flat, at sizes that are far apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from benchmarks.generator import Load
from benchmarks.meter import usage
from benchmarks.scenarios.base import Column, Launch, Outcome, Scenario, metered, problems_of
from benchmarks.scenarios.join_storm import SETTLE_S
from benchmarks.servers.base import Plan, Server
from benchmarks.servers.gatehouse import Gatehouse

#: The document that was written becomes a checkpoint, once, which is not what is measured.
CHECKPOINT_BYTES_PER_S = 4_000_000
#: What opening them has set off (the roster's rows, presence) is over a second later for so many rooms.
OPENINGS_PER_S = 1_000

_Values = dict[str, float | None]


@dataclass(frozen=True)
class Growth(Scenario):
    """One server for each size; columns are named after it."""

    servers: ClassVar = (Gatehouse,)
    sizes: tuple[int, ...]
    rate: int
    seconds: float = 10.0

    #: What is measured at each size: key, heading, decimals.
    measures: ClassVar[tuple[tuple[str, str, int], ...]]

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(
            Column(f"{key}@{size}", f"{heading}, at {self.shown(size)}", decimals)
            for key, heading, decimals in self.measures
            for size in self.sizes
        )

    def shown(self, size: int) -> str:
        """A size for people."""
        return f"{size:,}"

    def measure(self, launch: Launch, load: Load) -> Outcome:
        outcome = Outcome()
        for size in self.sizes:
            values, problems = self.measure_at(size, launch, load)
            outcome.values |= {f"{key}@{size}": value for key, value in values.items()}
            outcome.problems += [f"at {self.shown(size)}: {problem}" for problem in problems]
        return outcome

    def measure_at(self, size: int, launch: Launch, load: Load) -> tuple[_Values, list[str]]:
        raise NotImplementedError


@dataclass(frozen=True)
class GrowingRooms(Growth):
    """The same ten rooms are written in; the others are open, with a client that does nothing."""

    name: ClassVar = "growth-rooms"
    active: int = 10
    measures: ClassVar = (
        ("cpu_us", "CPU, µs an update", 0),
        ("p95_ms", "p95, ms", 2),
        ("idle_percent", "idle, % of a core", 1),
    )

    @property
    def title(self) -> str:
        return f"Growing number of open rooms; {self.rate} updates/s in {self.active} of them"

    def quick(self) -> GrowingRooms:
        return replace(self, sizes=self.sizes[:2], seconds=2.0)

    def measure_at(self, size: int, launch: Launch, load: Load) -> tuple[_Values, list[str]]:
        with launch(Plan(rooms=size, clients_per_room=2)) as server:
            if size > self.active:
                load.crowd(server, [server.door(room) for room in range(self.active, size)]).open()
            crowd = load.crowd(server, server.doors(self.active, 2))
            crowd.open()
            crowd.write(rate=self.rate, seconds=1)
            time.sleep(SETTLE_S + size / OPENINGS_PER_S)
            idle = _idle_share(server, self.seconds)
            with metered(server, load) as cost:
                result = crowd.write(rate=self.rate, seconds=self.seconds)
            idle = (idle + _idle_share(server, self.seconds)) / 2
        busy_s = cost.server.cpu_s - idle * cost.server.at_s
        values = {
            "cpu_us": busy_s * 1e6 / max(1, result["delivered"]),
            "p95_ms": result["times"]["p95"],
            "idle_percent": idle * 100,
        }
        return values, problems_of(result, cost)


@dataclass(frozen=True)
class GrowingDocument(Growth):
    """Two clients type into a document that is already there."""

    name: ClassVar = "growth-document"
    measures: ClassVar = (
        ("cpu_us", "CPU, µs an update", 0),
        ("p95_ms", "p95, ms", 2),
        ("join_s", "a newcomer is level after, s", 3),
    )

    @property
    def title(self) -> str:
        return f"Growing document: one room, two clients, {self.rate} updates/s"

    def shown(self, size: int) -> str:
        return f"{size / 1e6:g} MB" if size >= 1_000_000 else f"{size / 1e3:g} KB"

    def quick(self) -> GrowingDocument:
        return replace(self, sizes=self.sizes[:2], seconds=2.0)

    def measure_at(self, size: int, launch: Launch, load: Load) -> tuple[_Values, list[str]]:
        with launch(Plan(clients_per_room=4)) as server:
            authors = load.crowd(server, server.doors(1, 2))
            authors.open()
            authors.seed(size)
            time.sleep(SETTLE_S)
            newcomer = load.crowd(server, [server.door(0, 2)])
            joined = newcomer.join(size, timeout_s=60)
            newcomer.close()
            authors.close()
            crowd = load.crowd(server, server.doors(1, 2))
            crowd.open()
            time.sleep(SETTLE_S + size / CHECKPOINT_BYTES_PER_S)
            crowd.write(rate=self.rate, seconds=1)
            with metered(server, load) as cost:
                result = crowd.write(rate=self.rate, seconds=self.seconds)
        problems = problems_of(result, cost)
        if not joined["level"]:
            problems.append("a newcomer was not level in time")
        values = {
            "cpu_us": cost.cpu_us_per_delivery(result),
            "p95_ms": result["times"]["p95"],
            "join_s": joined["seconds"],
        }
        return values, problems


@dataclass(frozen=True)
class GrowingRoom(Growth):
    """Everyone is in one room; the cost of one delivery should not rise."""

    name: ClassVar = "growth-clients"
    measures: ClassVar = (("cpu_us", "CPU, µs a delivery", 1), ("p95_ms", "p95, ms", 2))

    @property
    def title(self) -> str:
        return f"Growing number of clients in one room, {self.rate} updates/s in all"

    def quick(self) -> GrowingRoom:
        return replace(self, sizes=self.sizes[:2], seconds=2.0)

    def measure_at(self, size: int, launch: Launch, load: Load) -> tuple[_Values, list[str]]:
        limits = {"COLLAB_MAX_CONNECTIONS_PER_ROOM": max(self.sizes)}
        with launch(Plan(clients_per_room=size, limits=limits)) as server:
            crowd = load.crowd(server, server.doors(1, size))
            crowd.open()
            crowd.write(rate=self.rate, seconds=1)
            with metered(server, load) as cost:
                result = crowd.write(rate=self.rate, seconds=self.seconds)
            crowd.close()
        values = {"cpu_us": cost.cpu_us_per_delivery(result), "p95_ms": result["times"]["p95"]}
        return values, problems_of(result, cost)


def _idle_share(server: Server, seconds: float) -> float:
    """What the server takes of a core while nobody does anything."""
    before = usage(*server.pids)
    time.sleep(seconds)
    return usage(*server.pids).since(before).share


def growths() -> Iterator[Growth]:
    """Each of the three, with its sizes."""
    yield GrowingRooms(sizes=(10, 100, 1_000, 10_000), rate=100)
    yield GrowingDocument(sizes=(10_000, 100_000, 1_000_000, 10_000_000, 50_000_000), rate=50)
    yield GrowingRoom(sizes=(2, 20, 200, 2_000), rate=20)
