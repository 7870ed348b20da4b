"""Short updates that go on as one: to all who listen, and into the log."""

from __future__ import annotations

from collab.engine.document import Document
from collab.engine.gate import ParsedUpdate

#: Structs and deleted ranges in updates that go on as one; beyond, joining costs more than it saves.
MAX_JOINED_PARTS = 2_000
#: Their bytes: longer ones are not copied once more.
MAX_JOINED_BYTES = 256 * 1024


class JoinedUpdate:
    """Updates as they came, one after the other; a lone one keeps its bytes."""

    __slots__ = ("_joined", "_parts", "_size_bytes")

    def __init__(self, update: ParsedUpdate) -> None:
        self._joined: ParsedUpdate | Document = update
        self._parts = update.parts
        self._size_bytes = len(update.data)

    def add(self, update: ParsedUpdate) -> bool:
        """Join one more; whether it was short enough for that."""
        parts, size_bytes = self._parts + update.parts, self._size_bytes + len(update.data)
        if parts > MAX_JOINED_PARTS or size_bytes > MAX_JOINED_BYTES:
            return False
        self._parts, self._size_bytes = parts, size_bytes
        if isinstance(self._joined, ParsedUpdate):
            document = Document()
            document.take_in(self._joined)
            self._joined = document
        self._joined.take_in(update)
        return True

    @property
    def client_count(self) -> int:
        return self._joined.client_count

    @property
    def first_clocks(self) -> dict[int, int]:
        """For each client the lowest clock it brings."""
        return self._joined.first_clocks

    def encode(self) -> bytes:
        """All of them as one update, no struct of which is encoded anew."""
        return self._joined.data if isinstance(self._joined, ParsedUpdate) else self._joined.encode()
