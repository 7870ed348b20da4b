"""What a scenario is, and what it gives: numbers, and sentences about what was not as it should be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from benchmarks.generator import Load, Result
from benchmarks.meter import Usage, usage
from benchmarks.servers.base import Plan, Server
from benchmarks.servers.catalogue import COMPARED

#: Starts a fresh server with what the plan asks for, and stops it at the end of the block.
Launch = Callable[[Plan], AbstractContextManager[Any]]
#: Beyond this share of a core the load is called the limit.
BUSY_LOAD = 0.85


@dataclass(frozen=True, slots=True)
class Column:
    """One number of a table: its key in the values, its heading with the unit, and its decimals."""

    key: str
    heading: str
    decimals: int = 1


@dataclass(slots=True)
class Outcome:
    """What one run of a scenario against one server gave; a value that could not be had is None."""

    values: dict[str, float | None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class Scenario(ABC):
    """One kind of work, for each of its servers; a dataclass, so that `quick()` can replace sizes."""

    name: ClassVar[str]
    servers: ClassVar[tuple[type[Server], ...]] = COMPARED

    @property
    @abstractmethod
    def title(self) -> str:
        """What is done, with the sizes."""

    @property
    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """What is reported."""

    @abstractmethod
    def quick(self) -> Scenario:
        """The same, small enough for a try."""

    @abstractmethod
    def measure(self, launch: Launch, load: Load) -> Outcome:
        """Run it once against one server."""


@dataclass(slots=True)
class Cost:
    """CPU of server and load while something was done."""

    server: Usage = field(default_factory=lambda: Usage(0, 0))
    load: Usage = field(default_factory=lambda: Usage(0, 0))

    def cpu_us_per(self, count: float) -> float | None:
        """Microseconds of the server's CPU for each."""
        return self.server.cpu_s * 1e6 / count if count else None

    def cpu_us_per_delivery(self, result: Result) -> float | None:
        """None where hardly anything was delivered: the quotient would say nothing."""
        return self.cpu_us_per(result["delivered"]) if result["delivered"] > result["expected"] / 10 else None

    @property
    def load_percent(self) -> float:
        """Of one core, what making the load took."""
        return self.load.share * 100


@contextmanager
def metered(server: Server, load: Load) -> Iterator[Cost]:
    """What the block costs is known at its end."""
    cost = Cost()
    servers_before, load_before = usage(*server.pids), usage(load.pid)
    yield cost
    cost.server = usage(*server.pids).since(servers_before)
    cost.load = usage(load.pid).since(load_before)


LOAD_COLUMN = Column("load_percent", "load, % of a core", 0)


def problems_of(result: Result, cost: Cost | None = None) -> list[str]:
    """What is wrong with the result of a `write` or `tell`."""
    problems = []
    if result["missing"]:
        share = 100 * result["delivered"] / result["expected"]
        problems.append(f"only {share:.1f} % of the updates were delivered")
    if result["closes"]:
        closed = ", ".join(f"{count} × {reason}" for reason, count in result["closes"].items())
        problems.append(f"clients were closed: {closed}")
    if result["malformed"]:
        problems.append(f"a frame could not be read: {result['malformed']}")
    if cost is not None and cost.load.share > BUSY_LOAD:
        problems.append(f"the load took {cost.load_percent:.0f} % of a core: it may be the limit")
    return problems
