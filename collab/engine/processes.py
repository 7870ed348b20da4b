"""Which of the other processes are there: each says so again and again, and one that is silent has died.

Silence is counted in looks that succeeded, not in seconds: a process that can't look, because the relay is
away or because it stood still itself, takes nobody for dead.
"""

from __future__ import annotations

from collections.abc import Mapping

#: A process is gone that says nothing between so many looks.
GONE_LOOKS = 7


class OtherProcesses:
    """See the module. One that was taken for dead and is heard again is there again."""

    def __init__(self) -> None:
        self._looks = 0
        self._heard_at: dict[str, int] = {}
        self._said: Mapping[str, float] = {}

    def heard(self, process: str) -> None:
        """Another process has said something, whatever it was."""
        self._heard_at[process] = self._looks

    def look(self, said: Mapping[str, float]) -> list[str]:
        """Give those who are gone, each once.

        Args:
            said: by process, when it last said that it is there; no two processes need clocks that agree.
        """
        self._looks += 1
        for process, at in said.items():
            if self._said.get(process) != at:
                self.heard(process)
        self._said = said
        gone = [process for process, at in self._heard_at.items() if self._looks - at >= GONE_LOOKS]
        for process in gone:
            del self._heard_at[process]
        return gone
