"""What a torture has shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.torture.options import MIB, Options


@dataclass(slots=True)
class Report:
    """Numbers, and `violations`: one sentence for each promise that was broken."""

    options: Options
    rounds: dict[str, int] = field(default_factory=dict)
    written: int = 0
    took_ms: list[float] = field(default_factory=list)
    lost: int = 0
    unacknowledged: int = 0
    unacknowledged_saved: int = 0
    #: How the clients of a room are that are not equal.
    rooms_apart: dict[str, list[str]] = field(default_factory=dict)
    rooms_waiting: int = 0
    #: Acknowledged updates that a newcomer is not given.
    unknown: int = 0
    level_after_s: float = 0.0
    closes: dict[str, int] = field(default_factory=dict)
    growth_bytes: int = 0
    worst_bytes: tuple[int, int] = (0, 0)
    violations: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The table."""
        options, warm_and_worst = self.options, [round(size / MIB) for size in self.worst_bytes]
        size = f"{options.seconds:g}, {options.processes}, {options.clients}, {options.rooms}"
        quantiles = " / ".join(f"{quantile(self.took_ms, share):.0f}" for share in (0.5, 0.95, 1.0))
        closes = ", ".join(f"{code}: {count}" for code, count in sorted(self.closes.items()))
        rows = [
            ("seconds, processes, clients, rooms", size),
            *((name, str(count)) for name, count in sorted(self.rounds.items())),
            ("closes that clients saw, by code", closes),
            ("updates written", str(self.written)),
            ("acknowledged", str(len(self.took_ms))),
            ("acknowledged and lost", str(self.lost)),
            ("acknowledged and unknown to a newcomer", str(self.unknown)),
            ("never acknowledged, of these saved", f"{self.unacknowledged}, {self.unacknowledged_saved}"),
            ("rooms that diverged", str(len(self.rooms_apart))),
            ("rooms that wait for what a dead client kept", str(self.rooms_waiting)),
            ("level after the last fault, s", f"{self.level_after_s:.1f}"),
            ("acknowledgement p50 / p95 / max, ms", quantiles),
            ("memory of the process that grew most, MiB", "{} warm, {} at most".format(*warm_and_worst)),
        ]
        width = max(len(name) for name, _ in rows)
        return [f"{name:<{width}}  {value}" for name, value in rows]


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies; 0 where there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
