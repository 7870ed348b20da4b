"""How much memory the server processes hold, and how much more than when they were warm."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tests.support.server import Server

#: From here on a process should hold what it needs.
WARM_S = 6.0
INTERVAL_S = 1.0


def resident_bytes(server: Server) -> int:
    """What the process holds in memory (Linux)."""
    for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


class Memory:
    """Samples all processes; `growth_bytes` is the most that any grew between being warm and its end."""

    def __init__(self, servers: list[Server]) -> None:
        self._servers = servers
        self._started_at = {server.port: time.monotonic() for server in servers}
        self._warm_bytes: dict[int, int] = {}
        self.growth_bytes = 0
        self.max_bytes = 0
        #: The process that grew most: what it held when it was warm, and later at most.
        self.worst_bytes = (0, 0)

    def ended(self, server: Server) -> None:
        """What the process does from here on, until it has started again, says nothing."""
        self._started_at.pop(server.port, None)
        self._warm_bytes.pop(server.port, None)

    def started(self, server: Server) -> None:
        """A process began a new life."""
        self._started_at[server.port] = time.monotonic()

    async def watch(self) -> None:
        """Sample, for ever."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            for server in self._servers:
                if server.port in self._started_at and server.is_running():
                    self._sample(server)

    def _sample(self, server: Server) -> None:
        try:
            size = resident_bytes(server)
        except (OSError, AssertionError):  # it has ended meanwhile
            return
        self.max_bytes = max(self.max_bytes, size)
        if time.monotonic() - self._started_at[server.port] < WARM_S:
            return
        warm = self._warm_bytes.setdefault(server.port, size)
        if size - warm >= self.growth_bytes:
            self.growth_bytes = size - warm
            self.worst_bytes = (warm, size)
