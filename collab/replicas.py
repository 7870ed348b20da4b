"""Documents that an application reads live: a `y_py.YDoc` or `pycrdt.Doc` that follows a room.

The one module that imports `y_py`, which is optional. A replica is fed what the room takes in and is
only read: its state is encoded once, as `make_ydoc()` returned it, to seed an empty room. After that
nothing of it is stored or sent, since both libraries can give back something else than they were
given. Both can also take the whole process down on updates that are well-formed: a consumer that
overrides `make_ydoc()` opts in to that, for writers it trusts. See `docs/architecture.md`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pycrdt

from collab.engine.gate import parse_update
from collab.engine.room import LiveRoom

try:
    import y_py
except ImportError:  # no wheels past Python 3.12
    y_py = None  # type: ignore[assignment]  # the module is optional

logger = logging.getLogger("collab.replica")

Encode = Callable[[Any], bytes]
Apply = Callable[[Any, bytes], None]


def new_ydoc() -> Any:
    """An empty document of the library the seed uses, or of its successor where that is missing."""
    return pycrdt.Doc() if y_py is None else y_py.YDoc()


class Replica:
    """One document that follows one live room, on the thread of the event loop.

    Raises:
        TypeError: `doc` is neither a `y_py.YDoc` nor a `pycrdt.Doc`.
    """

    def __init__(self, doc: Any, room_name: str) -> None:
        self.doc = doc
        self._room_name = room_name
        self._is_broken = False
        self.encode_document, self.apply_to_document = _functions_for(doc)

    def encode(self) -> bytes:
        """The state as an update; right only before any client's update was applied."""
        return self.encode_document(self.doc)

    def apply(self, update: bytes) -> None:
        """Follow the room. An update the library can't take ends the following, not the room."""
        if self._is_broken:
            return
        try:
            self.apply_to_document(self.doc, update)
        except (KeyboardInterrupt, SystemExit, asyncio.CancelledError):
            raise
        except BaseException:  # a panic in the library is not an Exception
            self._is_broken = True
            logger.exception("The document of room %s no longer follows it", self._room_name)


def _functions_for(doc: Any) -> tuple[Encode, Apply]:
    if isinstance(doc, pycrdt.Doc):
        return pycrdt.Doc.get_update, pycrdt.Doc.apply_update
    if y_py is not None and isinstance(doc, y_py.YDoc):
        return y_py.encode_state_as_update, y_py.apply_update
    raise TypeError(f"make_ydoc() gave a {type(doc).__name__}; expected a y_py.YDoc or a pycrdt.Doc.")


_opening: dict[LiveRoom, asyncio.Task[Replica]] = {}


def replica_of(room: LiveRoom) -> Replica:
    """The replica of a room, made now from what the room holds if it has none."""
    return _find(room) or _follow(room, Replica(new_ydoc(), room.name))


async def open_replica(room: LiveRoom, make_ydoc: Callable[[], Awaitable[Any]]) -> Replica:
    """The replica of a room; the first caller's `make_ydoc` makes it and seeds the room if it is empty.

    Cancelling leaves the making to the others who wait for it.

    Raises:
        Exception: whatever `make_ydoc` raises; the next caller tries again.
    """
    replica = _find(room)
    if replica is not None:
        return replica
    if room not in _opening:
        task = _opening[room] = asyncio.create_task(_make(room, make_ydoc))
        task.add_done_callback(lambda _: _opening.pop(room))
    return await asyncio.shield(_opening[room])


async def _make(room: LiveRoom, make_ydoc: Callable[[], Awaitable[Any]]) -> Replica:
    replica = Replica(await make_ydoc(), room.name)
    if not room.document.is_empty:
        return _follow(room, replica)
    room.take_in(parse_update(replica.encode()))
    room.followers.append(replica)
    return replica


def _follow(room: LiveRoom, replica: Replica) -> Replica:
    replica.apply(room.document.encode())
    room.followers.append(replica)
    return replica


def _find(room: LiveRoom) -> Replica | None:
    return next((follower for follower in room.followers if isinstance(follower, Replica)), None)
