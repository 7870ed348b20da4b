"""What many connections and rooms need, from the costs that were measured here: a simulation, not a test.

    python -m benchmarks.scaling --connections 1000000 --rooms 100000

Draws rooms of very different sizes, spreads their connections over processes, once anywhere and once by room,
and counts what follows: copies of live rooms, messages between processes, commits, memory and cores. The
costs are those of docs/performance.md; the load is said in `Load`. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import exp
from random import Random

#: A process is planned to use this part of a core, for peaks and for others that fail.
PLANNED_SHARE = 0.5
KIB_IN_GIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU in µs of one core, memory in KiB; as measured, see the module."""

    update_us: float = 200.0
    delivery_us: float = 10.0
    row_us: float = 18.0
    commit_us: float = 400.0
    remote_update_us: float = 70.0
    bundle_us: float = 150.0
    opening_us: float = 1_500.0
    #: A second, for each connection (its lease, its pings), and for each room that is live in a process.
    idle_connection_us: float = 11.0
    idle_room_us: float = 11.0
    connection_kib: float = 29.0
    room_kib: float = 15.0
    base_kib: float = 95 * 1024.0


@dataclass(frozen=True, slots=True)
class Load:
    """What people do. A group of updates is committed each `commit_interval_s`."""

    connections: int
    rooms: int
    #: Of a hundred connections so many type at a time, each so many updates a second.
    typing_percent: float = 2.0
    updates_per_s: float = 3.0
    document_kib: float = 50.0
    #: How long somebody stays.
    session_s: float = 1_800.0
    commit_interval_s: float = 0.02

    @property
    def updates(self) -> float:
        """Updates a second in all."""
        return self.connections * self.typing_percent / 100 * self.updates_per_s


@dataclass(slots=True)
class Spread:
    """What a way to place connections leads to."""

    copies: int = 0  # of rooms, in all processes
    remote: float = 0.0  # other processes that have the room open, by update


@dataclass(frozen=True, slots=True)
class Need:
    """For one number of processes."""

    processes: int
    copies: int
    cores: float
    memory_gib: float
    commits_per_s: float
    bundles_per_s: float
    remote_updates_per_s: float


def room_sizes(load: Load, random: Random) -> list[int]:
    """Connections of each room: many small rooms, few large ones (a Pareto law of exponent 1.5)."""
    weights = [random.paretovariate(1.5) for _ in range(load.rooms)]
    scale = load.connections / sum(weights)
    return [max(1, min(1_000, round(weight * scale))) for weight in weights]


def anywhere(size: int, processes: int, random: Random) -> int:
    """Processes that have a room open, where a balancer sends its connections to any of them."""
    return len({random.randrange(processes) for _ in range(size)})


def by_room(size: int, processes: int, random: Random) -> int:
    """The same where the room's id decides."""
    return 1


Place = Callable[[int, int, Random], int]


def spread(sizes: Sequence[int], processes: int, place: Place, random: Random) -> Spread:
    """Place all rooms; the means are over updates: who types is anyone."""
    found, total = Spread(), sum(sizes)
    for size in sizes:
        copies = place(size, processes, random)
        found.copies += copies
        found.remote += size * (copies - 1) / total
    return found


def needed(load: Load, costs: Costs, sizes: Sequence[int], found: Spread, processes: int) -> Need:
    """What so many processes do in a second."""
    total = sum(sizes)
    mean_fan_out = sum(size * (size - 1) for size in sizes) / total
    updates = load.updates * total / load.connections
    ticks = processes / load.commit_interval_s
    per_tick = updates / ticks
    commits = min(updates, ticks)
    # In a tick a process sends one bundle to each other that has one of the rooms that changed.
    bundles = ticks * (processes - 1) * _at_least_once(per_tick * found.remote / max(1, processes - 1))
    remote_updates = updates * found.remote
    cpu_us = (
        updates * (costs.update_us + costs.row_us)
        + updates * mean_fan_out * costs.delivery_us
        + commits * costs.commit_us
        + remote_updates * costs.remote_update_us
        + bundles * costs.bundle_us
        + total / load.session_s * costs.opening_us
        + total * costs.idle_connection_us
        + found.copies * costs.idle_room_us
    )
    memory_kib = (
        processes * costs.base_kib
        + total * costs.connection_kib
        + found.copies * (costs.room_kib + load.document_kib)
    )
    return Need(
        processes, found.copies, cpu_us / 1e6, memory_kib / KIB_IN_GIB, commits, bundles, remote_updates
    )


def _at_least_once(mean: float) -> float:
    """How likely something that happens so often in the mean happens at all."""
    return 1 - exp(-mean)


def plan(load: Load, costs: Costs, place: Place, random: Random) -> Need:
    """The smallest number of processes that keeps to the planned share of a core, up to 2,000."""
    sizes = room_sizes(load, random)
    need = None
    for processes in _numbers():
        need = needed(load, costs, sizes, spread(sizes, processes, place, random), processes)
        if need.cores <= PLANNED_SHARE * processes:
            break
    assert need is not None
    return need


def _numbers() -> Iterator[int]:
    number = 1
    while number < 2_000:
        yield number
        number = max(number + 1, round(number * 1.15))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.split("\n")[0])
    parser.add_argument("--connections", type=int, default=1_000_000)
    parser.add_argument("--rooms", type=int, default=100_000)
    parser.add_argument("--typing-percent", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    load = Load(options.connections, options.rooms, typing_percent=options.typing_percent)
    needs = [plan(load, Costs(), place, Random(options.seed)) for place in (anywhere, by_room)]
    title = f"{load.connections:,} connections, {load.rooms:,} rooms, {load.updates:,.0f} updates/s"
    shown: Sequence[tuple[str, Callable[[Need], float], str]] = (
        ("processes, at half a core each", lambda need: need.processes, ",.0f"),
        ("cores in use", lambda need: need.cores, ",.1f"),
        ("copies of live rooms", lambda need: need.copies, ",.0f"),
        ("memory, GiB", lambda need: need.memory_gib, ",.1f"),
        ("commits/s", lambda need: need.commits_per_s, ",.0f"),
        ("bundles through Redis/s", lambda need: need.bundles_per_s, ",.0f"),
        ("updates taken over from other processes/s", lambda need: need.remote_updates_per_s, ",.0f"),
    )
    sys.stdout.write(f"{title}\n\n| | anywhere | by room |\n|---|---:|---:|\n")
    for label, value, form in shown:
        sys.stdout.write(f"| {label} | {' | '.join(format(value(need), form) for need in needs)} |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
