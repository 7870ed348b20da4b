"""A client of a live room that speaks Hocuspocus.

The client counts the changes it has made and takes one off for each SyncStatus 1; at none it says that it is
synced. So each change is confirmed once, when it is saved: an update at its commit, and one that was denied
with the next SyncStep2, which brings it again. The client counts its opening, or a forced, SyncStep1 as a
change too, which ends with the SyncStep2 that our question brings; a SyncStep2 that answers a question we
asked of our own accord ends none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collab.engine.connection import Connection
from collab.engine.hocuspocus import (
    REFUSED_MESSAGE,
    SAVED_MESSAGE,
    TOKEN_WANTED_MESSAGE,
    create_authenticated_message,
    create_permission_denied_message,
)
from collab.engine.pieces import Data
from collab.engine.protocol import SYNC, SYNC_STEP_1

QUESTION = bytes((SYNC, SYNC_STEP_1))

#: Denied changes that are remembered; a client that made more will say that it is not synced.
MAX_DENIED = 10_000


class HocuspocusConnection(Connection):
    """See `Connection`; its messages are sent behind the document's address, which the transport knows."""

    asks_in_turn = True

    __slots__ = (
        "_asked_in_turn",
        "_asked_unbidden",
        "_denied",
        "_unasked",
        "_unsaid",
        "_wants_token",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._denied = 0  # changes that the next SyncStep2 brings again
        self._asked_in_turn = 0  # questions whose answer the client counts, and others
        self._asked_unbidden = 0
        self._unsaid = 0  # confirmations and questions that were in the queue when it was dropped,
        self._unasked = 0  # or would be in it
        self._wants_token = False
        self.send_scope()

    def send_scope(self) -> None:
        """Tell the client that it is in, and whether it may write."""
        self.send(create_authenticated_message(can_write=self.can_write))

    def want_token(self) -> None:
        """Ask for a newer token; a client that has none sends nothing, or the same."""
        self._wants_token = True
        self.send(TOKEN_WANTED_MESSAGE)

    def token_came(self) -> None:
        """There is a newer token, and it is good."""
        self._wants_token = False
        self.send_scope()

    def ask(self, question: bytes, *, in_turn: bool = False) -> None:
        if in_turn:
            self._asked_in_turn += 1
            self._unasked += self.is_behind
        elif not self.is_behind:
            self._asked_unbidden += 1
        self.send(question)

    def send_foreign(self, frame: bytes) -> None:
        """Nothing: the provider takes a type of message that it does not know for an error."""

    def send_stateless(self, message: bytes) -> None:
        self.send(message)

    def allow_writing(self, *, is_allowed: bool) -> None:
        has_changed = is_allowed != self.can_write
        self.can_write = is_allowed
        if has_changed:
            self.send_scope()

    def changes_in(self, *, is_answer: bool) -> int:
        if not is_answer:
            return 1
        changes, self._denied = self._denied, 0
        if self._asked_in_turn:
            self._asked_in_turn -= 1
            return changes + 1
        if self._asked_unbidden:
            self._asked_unbidden -= 1
            return changes
        return changes + 1

    def confirm(self, changes: int) -> None:
        for _ in range(changes):
            if self.is_behind:
                self._unsaid += 1
            else:
                self.send(SAVED_MESSAGE)

    def deny(self, reason: str, changes: int = 0) -> None:
        """There is no way to give the reason."""
        self._denied = min(self._denied + changes, MAX_DENIED)
        self.send(REFUSED_MESSAGE)

    def denial_message(self, reason: str) -> bytes:
        return create_permission_denied_message(reason)

    def _fall_behind(self) -> None:
        self._unsaid += sum(frame == SAVED_MESSAGE for frame, _ in self._queue)
        self._unasked += sum(frame[: len(QUESTION)] == QUESTION for frame, _ in self._queue)
        super()._fall_behind()

    async def _frames_to_catch_up(self, known: Mapping[int, int]) -> list[Data]:
        """The question among them is the one that was dropped, or one that the client does not count."""
        frames = await super()._frames_to_catch_up(known)
        if self._unasked and self._asked_in_turn:
            self._asked_in_turn = max(1, self._asked_in_turn - self._unasked + 1)
        else:
            self._asked_unbidden += 1
        self._unasked = 0
        frames.append(create_authenticated_message(can_write=self.can_write))
        if self._wants_token:
            frames.append(TOKEN_WANTED_MESSAGE)
        frames += [SAVED_MESSAGE] * self._unsaid
        self._unsaid = 0
        return frames
