"""The messages of y-websocket, one a frame.

    00 00 varBytes(state vector)   SyncStep1          asks for what the sender does not have
    00 01 varBytes(update)         SyncStep2          the answer
    00 02 varBytes(update)         Update             something new
    01 varBytes(awareness)         AwarenessMessage   who is there
    02 00 varString(reason)        permission denied, only from the server
    03                             QueryAwareness

Numbers must be in their shortest form and a frame must end where its message ends: what a decoder
would read differently from us is refused, not guessed. Sources: y-protocols `sync.js`, `auth.js`,
`awareness.js`; y-websocket `y-websocket.js`.
"""

from __future__ import annotations

from dataclasses import dataclass

from collab.engine.encoding import read_canonical_var_uint, read_var_bytes, write_var_bytes, write_var_uint
from collab.engine.errors import MalformedError
from collab.engine.pieces import DataT

SYNC, AWARENESS, AUTH, QUERY_AWARENESS = range(4)
SYNC_STEP_1, SYNC_STEP_2, SYNC_UPDATE = range(3)


@dataclass(frozen=True, slots=True)
class SyncStep1:
    """`is_reply`: whether it answers a question, and must not be answered with another one."""

    state_vector: bytes
    is_reply: bool = False


@dataclass(frozen=True, slots=True)
class SyncStep2:
    update: bytes


@dataclass(frozen=True, slots=True)
class Update:
    update: bytes


@dataclass(frozen=True, slots=True)
class AwarenessMessage:
    awareness: bytes


@dataclass(frozen=True, slots=True)
class QueryAwareness:
    pass


Message = SyncStep1 | SyncStep2 | Update | AwarenessMessage | QueryAwareness
_SYNC_MESSAGES = (SyncStep1, SyncStep2, Update)


def decode_message(frame: bytes, pos: int = 0) -> Message:
    """Read one frame of a client, from `pos` on.

    Raises:
        MalformedError: it is none of the messages a client may send, or goes on after its end.
    """
    kind, pos = read_canonical_var_uint(frame, pos)
    message: Message
    if kind == SYNC:
        step, pos = read_canonical_var_uint(frame, pos)
        if step > SYNC_UPDATE:
            raise MalformedError(f"A sync message of type {step} is unknown; expected 0, 1 or 2.")
        payload, pos = read_var_bytes(frame, pos)
        message = _SYNC_MESSAGES[step](payload)
    elif kind == AWARENESS:
        payload, pos = read_var_bytes(frame, pos)
        message = AwarenessMessage(payload)
    elif kind == QUERY_AWARENESS:
        message = QueryAwareness()
    else:
        raise MalformedError(f"A message of type {kind} is unknown; expected 0 (sync), 1 or 3 (awareness).")
    if pos != len(frame):
        raise MalformedError(f"{len(frame) - pos} bytes follow the message; one message a frame is expected.")
    return message


def create_sync_step_1_message(state_vector: bytes) -> bytes:
    return bytes((SYNC, SYNC_STEP_1)) + write_var_bytes(state_vector)


def create_sync_step_2_message(update: DataT) -> DataT:
    return _sync_message(SYNC_STEP_2, update)


def create_update_message(update: bytes) -> bytes:
    """Frame a Yjs update (v1) as every y-websocket client understands it."""
    return bytes((SYNC, SYNC_UPDATE)) + write_var_bytes(update)


def _sync_message(step: int, update: DataT) -> DataT:
    head = bytes((SYNC, step)) + write_var_uint(len(update))
    return head + update if isinstance(update, bytes) else update.behind(head)


def create_awareness_message(awareness: bytes) -> bytes:
    return bytes((AWARENESS,)) + write_var_bytes(awareness)


def create_permission_denied_message(reason: str) -> bytes:
    return bytes((AUTH, 0)) + write_var_bytes(reason.encode())


#: Awareness of nobody: changes nothing and keeps a client from taking the line for dead.
KEEP_ALIVE_MESSAGE = create_awareness_message(b"\x00")
