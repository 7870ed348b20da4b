"""What a process and its children use, read from /proc (Linux)."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
#: Fields of /proc/<pid>/stat behind the name: parent; user, system time; the same of children that ended.
_PARENT, _TIMES = 1, slice(11, 15)


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time (user and system, seconds) so far, at a moment of the monotonic clock."""

    cpu_s: float
    at_s: float

    def since(self, earlier: Usage) -> Usage:
        """What was used since then."""
        return Usage(self.cpu_s - earlier.cpu_s, self.at_s - earlier.at_s)

    @property
    def share(self) -> float:
        """Of one core."""
        return self.cpu_s / self.at_s if self.at_s else 0.0


def usage(*pids: int) -> Usage:
    """CPU time of the trees of processes below these; a child that ended counts by its parent."""
    stats = _read_stats()
    ticks = sum(sum(map(int, stats[pid][_TIMES])) for pid in _trees(stats, pids))
    return Usage(ticks * _TICK_S, time.monotonic())


def memory_bytes(*pids: int) -> int:
    """Resident memory of the trees (RSS); a page that several share counts for each of them."""
    total = 0
    for pid in _trees(_read_stats(), pids):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                total += int(line.split()[1]) * 1024
    return total


def _read_stats() -> dict[int, list[str]]:
    stats = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text()
            except OSError:  # it has ended
                continue
            stats[int(entry.name)] = stat.rpartition(")")[2].split()
    return stats


def _trees(stats: dict[int, list[str]], roots: tuple[int, ...]) -> set[int]:
    children = defaultdict(list)
    for pid, fields in stats.items():
        children[int(fields[_PARENT])].append(pid)
    found: set[int] = set()
    waiting = [pid for pid in roots if pid in stats]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children[pid]
    return found
