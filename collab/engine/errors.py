"""Everything that can be refused, and how a client is told.

CollabError                       close code
├── MalformedError                4400   bytes that no conforming client sends
├── UnauthenticatedError          4401   no token, a bad one, or one that has expired
├── ForbiddenError                4403   no access, or not any more
├── AuthTimeoutError              4408   nobody has said in time who it is
├── LimitError                    4429   too many connections or messages
│   ├── RoomFullError             4429   no place for one more connection
│   └── MessageTooBigError        1009
├── ResetError                    4205   too slow, or the server is draining: come back now
└── UnavailableError              1013   the store or the layer does not answer: come back later

UpdateRefusedError                a well-formed update that may not be taken in; told, socket stays open
CompactionError                   a document's garbage was not collected; it stays as it is
└── CompactionBusyError           not now
"""

from __future__ import annotations

from typing import ClassVar


class CollabError(Exception):
    """Ends a connection with `close_code` and `reason`; the reason is shown to the client."""

    close_code: ClassVar[int] = 1011

    @property
    def reason(self) -> str:
        return str(self)


class MalformedError(CollabError):
    """The bytes are not what the protocol says, or a room name is not one."""

    close_code = 4400


class UnauthenticatedError(CollabError):
    """There is no usable token."""

    close_code = 4401


class ForbiddenError(CollabError):
    """The user has no access to the room, or lost it. Says nothing about whether the room exists."""

    close_code = 4403


class AuthTimeoutError(CollabError):
    """No usable token came in time."""

    close_code = 4408


class LimitError(CollabError):
    """Too many of something; the client should back off."""

    close_code = 4429


class RoomFullError(LimitError):
    """The room, or the user in it, has as many connections as are allowed."""


class MessageTooBigError(LimitError):
    """One message is larger than the limit."""

    close_code = 1009


class ResetError(CollabError):
    """The client should reconnect at once."""

    close_code = 4205


class UnavailableError(CollabError):
    """The log or the layer does not answer; nothing was lost."""

    close_code = 1013


class UpdateRefusedError(Exception):
    """An update was not taken in. Its sender is told why and may go on reading."""


class CompactionError(Exception):
    """The garbage of a document was not collected. It stays as it is, and nothing is lost."""


class CompactionBusyError(CompactionError):
    """Too many documents wait; this one is not to blame."""
