"""How much one client may ask for: so many messages, and so much of the event loop's time.

A rate of messages says little about what they cost: a few bytes may ask for all of a document, or move
megabytes of it. So what is done for a user is timed, whatever it is, over all connections of the user in this
process, and paid for from a bucket of seconds that fills again with time.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

#: What a user may take at once: enough for the longest message, and the whole of a large document.
BURST_S = 1.0
#: What it costs to be closed for a fault, and to be let in again: the token, the access, the first sync.
FAULT_S = 0.005
#: Users who are remembered; of more, those who came in longest ago begin anew.
MAX_USERS = 10_000
#: The longest wait; what is owed beyond is forgiven, so that a line is never silent for long.
MAX_PAUSE_S = 5.0


class MessageRate:
    """A bucket of messages that fills again with time.

    Args:
        per_s: messages a second in the long run.
        burst: at once, after a pause.
        clock: seconds, monotonic.
    """

    __slots__ = ("_burst", "_clock", "_counted_at", "_left", "_per_s")

    def __init__(self, per_s: int, burst: int, clock: Callable[[], float]) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._left = float(burst)
        self._counted_at = clock()

    def allows_one(self) -> bool:
        """Count a message; tells whether it is within the rate."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._counted_at) * self._per_s)
        self._counted_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Meter:
    """A context manager around work that is done for a user, or a room, without an `await` in it.

    Args:
        percent: the part of the time that may be taken in the long run.
        clock: seconds, monotonic.
        timer: seconds that pass, since what is taken from all others is the event loop's time, also where it
            waits for a processor. To ask how long a thread has worked costs fifteen times as much.
        burst_s: what may be taken at once.
    """

    __slots__ = ("_burst_s", "_clock", "_counted_at", "_left_s", "_share", "_started_at", "_timer")

    def __init__(
        self,
        percent: int,
        clock: Callable[[], float],
        timer: Callable[[], float] = time.perf_counter,
        *,
        burst_s: float = BURST_S,
    ) -> None:
        self._share = percent / 100
        self._burst_s = burst_s
        self._clock = clock
        self._timer = timer
        self._left_s = burst_s
        self._counted_at = clock()
        self._started_at = 0.0

    def __enter__(self) -> None:
        self._started_at = self._timer()

    def __exit__(self, *exc_info: object) -> None:
        self._left_s -= self._timer() - self._started_at

    def charge(self, seconds: float) -> None:
        """Count work that can't be timed."""
        self._left_s -= seconds

    def pause_s(self) -> float:
        """How long to wait before more is done; 0 if nothing is owed."""
        now = self._clock()
        self._left_s = min(self._burst_s, self._left_s + (now - self._counted_at) * self._share)
        self._left_s = max(self._left_s, -MAX_PAUSE_S * self._share)
        self._counted_at = now
        return max(0.0, -self._left_s / self._share)


class UserMeters:
    """The meter of each user, for all connections and those that follow."""

    def __init__(self, percent: int, clock: Callable[[], float]) -> None:
        self._percent = percent
        self._clock = clock
        self._meters: OrderedDict[UUID, Meter] = OrderedDict()

    def of(self, user_id: UUID) -> Meter:
        """The meter of a user who comes in."""
        meter = self._meters.get(user_id)
        if meter is None:
            meter = self._meters[user_id] = Meter(self._percent, self._clock)
            if len(self._meters) > MAX_USERS:
                self._meters.popitem(last=False)
        else:
            self._meters.move_to_end(user_id)
        return meter
