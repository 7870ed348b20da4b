"""The short way to a client, for frames that need not wait."""

from __future__ import annotations

from collections.abc import Callable

#: Longer messages are sent in parts, as the client takes them.
MAX_OUTLET_BYTES = 64 * 1024


class Outlet:
    """What a line shows of itself to those who send the same to many, in as little memory as may be.

    A room of 200 looks at each of 200 lines for every keystroke: what lies in one place is in the processor's
    caches sooner than what is asked of one object after the other.

    Attributes:
        framed: the bytes that go out for a message of a head and a body.
        write: puts them on the line without a wait; none while something is before them, or the line ends.
    """

    __slots__ = ("framed", "write")

    def __init__(self, framed: Callable[[bytes, bytes], bytes] = bytes.__add__) -> None:
        self.framed = framed
        self.write: Callable[[bytes], object] | None = None
