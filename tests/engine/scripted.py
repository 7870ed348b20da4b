"""The world around the engine, driven by the test: time, clients' lines, and who knows access."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from uuid import UUID

from collab.engine.connection import Connection
from collab.engine.errors import CollabError, UnavailableError
from collab.engine.gate import ParsedUpdate
from collab.engine.limits import Limits
from collab.engine.outlet import Outlet
from collab.engine.ports import Grant


class FakeClock:
    """Seconds; they pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


async def turns(count: int = 20) -> None:
    """Let everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(is_true: Callable[[], object]) -> None:
    """Let others run until it is so; the test's timeout ends the waiting."""
    while not is_true():  # noqa: ASYNC110  # many things may make it so
        await asyncio.sleep(0)


class Line:
    """A client's end of a connection: what reached it, whether it reads, and takes frames without a wait."""

    def __init__(self, *, is_reading: bool = True) -> None:
        self.frames: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self._reads = asyncio.Event()
        self._last_read: bytes | None = None
        self.parts = 0
        self.outlet = Outlet()
        self.head = b""
        self._takes_at_once = False
        if is_reading:
            self._reads.set()

    def read_again(self) -> None:
        self._reads.set()
        self._set_outlet()

    def stop_reading(self) -> None:
        self._reads.clear()
        self._set_outlet()

    def stop_reading_after(self, frame: bytes) -> None:
        self._last_read = frame

    @property
    def takes_at_once(self) -> bool:
        return self._takes_at_once

    @takes_at_once.setter
    def takes_at_once(self, value: bool) -> None:
        self._takes_at_once = value
        self._set_outlet()

    def _set_outlet(self) -> None:
        can_write = self.takes_at_once and self._reads.is_set() and self.closed is None
        self.outlet.write = self.frames.append if can_write else None

    async def send(self, frame: bytes) -> None:
        await self._reads.wait()
        if self.closed is not None:
            raise BrokenPipeError
        self.frames.append(frame)
        if frame == self._last_read:
            self.stop_reading()

    async def close(self, code: int, reason: str) -> None:
        await self._reads.wait()
        self.closed = code, reason
        self._set_outlet()

    def abort(self, code: int, reason: str) -> None:
        self.closed = code, reason
        self._reads.set()
        self._set_outlet()

    def progress(self) -> int:
        return self.parts


class Client:
    """A connection with its line and the task that drains it; `end()` when the test is over."""

    def __init__(
        self,
        clock: Callable[[], float],
        limits: Limits | None = None,
        *,
        user_id: UUID | None = None,
        can_write: bool = True,
        wants_echo: bool = False,
        is_reading: bool = True,
        kind: type[Connection] = Connection,
    ) -> None:
        self.line = Line(is_reading=is_reading)
        self.connection = kind(
            self.line,
            limits or Limits(),
            user_id=user_id,
            can_write=can_write,
            wants_echo=wants_echo,
            clock=clock,
        )
        self._drain = asyncio.create_task(self.connection.drain())

    @property
    def frames(self) -> list[bytes]:
        return self.line.frames

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is sent to it."""
        return self._drain.done()

    async def end(self) -> None:
        self._drain.cancel()
        await asyncio.gather(self._drain, return_exceptions=True)


class ScriptedAccess:
    """An access source whose rows the test changes, and whose answers it may hold back.

    A subject is the id of a user: `grants` are kept for each, `denials` for those who are told something
    else; `epochs` for each row. While `is_held`, a question waits; its
    answer is what was true when it was asked, as with a transaction that began then.
    """

    def __init__(self) -> None:
        self.grants: dict[UUID, bool] = {}
        self.epochs: dict[UUID, int] = {}
        self.is_available = True
        self.error: Exception = UnavailableError("The store does not answer.")
        self.questions = 0
        self.denials: dict[UUID, CollabError] = {}
        self.changes_in_s: float | None = None
        self._answers = asyncio.Event()
        self._answers.set()

    def allow(self, user_id: UUID, *, can_write: bool) -> None:
        self.grants[user_id] = can_write
        self.epochs[user_id] = self.epochs.get(user_id, 0) + 1

    def revoke(self, user_id: UUID) -> None:
        self.grants.pop(user_id, None)
        self.epochs[user_id] = self.epochs.get(user_id, 0) + 1

    def hold_answers(self) -> None:
        self._answers.clear()

    def give_answers(self) -> None:
        self._answers.set()

    def grant_of(self, user_id: UUID) -> Grant | None:
        if user_id not in self.grants:
            return None
        can_write = self.grants[user_id]
        role = "editor" if can_write else "viewer"
        epochs: dict[UUID, int | None] = {user_id: self.epochs[user_id]}
        return Grant(role=role, can_write=can_write, epochs=epochs, changes_in_s=self.changes_in_s)

    async def resolve(self, subject: UUID, room: str) -> Grant | None:
        self.questions += 1
        found, denial = self.grant_of(subject), self.denials.get(subject)
        await self._answers.wait()
        if not self.is_available:
            raise self.error
        if denial is not None:
            raise denial
        return found

    async def current_epochs(self, keys: Collection[UUID]) -> Mapping[UUID, int]:
        if not self.is_available:
            raise self.error
        return {key: self.epochs[key] for key in keys if key in self.epochs}


class NoReplication:
    """Keeps nothing; what is recorded is saved when the test says so."""

    def __init__(self) -> None:
        self.recorded: list[bytes] = []
        self.refusal: CollabError | None = None
        self._on_saved: list[Callable[[], None]] = []

    def save(self) -> None:
        calls, self._on_saved = self._on_saved, []
        for call in calls:
            call()

    async def open(self, room: object) -> None:
        """There is nothing to load."""

    async def close(self, room: object) -> None:
        """There is nothing to leave."""

    async def heal(self, rooms: list[object]) -> None:
        """Nothing can be lost."""

    def check_accepting(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def record(
        self, room: object, update: ParsedUpdate, author_id: UUID | None, on_saved: Callable[[], None] | None
    ) -> None:
        self.recorded.append(update.data)
        if on_saved is not None:
            self._on_saved.append(on_saved)

    def when_saved(self, room: object, call: Callable[[], None]) -> None:
        self._on_saved.append(call)

    def is_settled(self, room: object) -> bool:
        return not self._on_saved

    def received(self, room: object, message: object) -> None:
        """Nobody else has the room."""
