"""Which of the other processes are there: each says so again and again, and one that is silent has died.

Silence is counted in own beats that came back, not in seconds: a process that hears nothing, not even itself,
because the relay is away or because it was stopped, takes nobody for dead.
"""

from __future__ import annotations

#: A process is gone that says nothing while so many own beats come back.
GONE_BEATS = 7


class OtherProcesses:
    """See the module. One that was taken for dead and is heard again is there again."""

    def __init__(self) -> None:
        self._beats = 0
        self._heard_at: dict[str, int] = {}

    def heard(self, process: str) -> None:
        """Another process has said something, whatever it was."""
        self._heard_at[process] = self._beats

    def heard_own(self) -> list[str]:
        """A beat of this process came back; give those who are gone, each once."""
        self._beats += 1
        gone = [process for process, at in self._heard_at.items() if self._beats - at >= GONE_BEATS]
        for process in gone:
            del self._heard_at[process]
        return gone
