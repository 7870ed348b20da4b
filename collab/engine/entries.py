"""A long state vector, of which only what has changed is encoded again.

Its clients lie in groups, each encoded as a whole, so that one that changes costs its group, and all of it as
much as there are groups.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping

from collab.engine.encoding import write_var_uint

#: With 200,000 clients, each has 200.
GROUPS = 1024
#: Clients between two yields; well below a millisecond.
STEPS = 512


class Entries:
    """Follows `clocks`, client → clock, which only grows; told of what changes."""

    def __init__(self, clocks: Mapping[int, int]) -> None:
        self._clocks = clocks
        self._groups: list[dict[int, bytes]] = [{} for _ in range(GROUPS)]
        self._joined = [b""] * GROUPS
        self._unwritten = set(clocks)

    def changed(self, clients: Collection[int]) -> None:
        """Have these clients, of which some may be new, encoded again."""
        self._unwritten.update(clients)

    def write(self) -> Generator[None, None, None]:
        """Encode what has changed; what changes meanwhile, too."""
        while self._unwritten:
            due = set()
            for _ in range(min(STEPS, len(self._unwritten))):
                client = self._unwritten.pop()
                due.add(client % GROUPS)
                self._groups[client % GROUPS][client] = write_entry(client, self._clocks[client])
            for group in due:
                self._joined[group] = b"".join(self._groups[group].values())
            yield

    def state_vector(self) -> bytes:
        """All of it; `write` has come to its end."""
        return write_var_uint(len(self._clocks)) + b"".join(self._joined)


def write_entry(client: int, clock: int) -> bytes:
    """A client of a state vector."""
    return write_var_uint(client) + write_var_uint(clock)
