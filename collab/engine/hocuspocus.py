"""The messages of Hocuspocus, one a frame, many documents on one socket.

    varString(address) varUint(type) …

    0  Sync            varUint(0 | 1 | 2) varBytes     as in y-protocols
    1  Awareness       varBytes(awareness)
    2  Auth            0 varString(token) [varString(version)]   from the client
                       0                               from the server: send your token again
                       1 varString(reason)             from the server: permission denied
                       2 varString(scope)              from the server: authenticated
    3  QueryAwareness
    4  SyncReply       as Sync; never answered with a question
    5  Stateless       varString(payload)
    7  Close           from the client: it leaves the document; from the server with varString(reason)
    8  SyncStatus      varUint(1 | 0)                  from the server: saved, or refused
    9  Ping   10  Pong   one byte each, without an address

The address is the document's name, or the name, a NUL and a session id; what is sent to a client carries the
bytes that it gave. 6, BroadcastStateless, is between Hocuspocus servers and refused. Numbers are read as
strictly as in `protocol`; what has the same number there is made there, and put behind the address.
Source: Hocuspocus 4, `packages/common`, `packages/provider`, `packages/server`.
"""

from __future__ import annotations

from dataclasses import dataclass

from collab.engine.encoding import read_canonical_var_uint, read_var_bytes, write_var_bytes
from collab.engine.errors import MalformedError, MessageTooBigError
from collab.engine.protocol import (
    AWARENESS,
    QUERY_AWARENESS,
    SYNC,
    Message,
    SyncStep1,
    create_awareness_message,
    decode_message,
)

AUTH, SYNC_REPLY, STATELESS, CLOSE, SYNC_STATUS, PING, PONG = 2, 4, 5, 7, 8, 9, 10
AUTH_TOKEN, AUTH_DENIED, AUTHENTICATED = range(3)

#: A name is a room id, a session id some ten characters.
MAX_ADDRESS_BYTES = 512
MAX_TOKEN_BYTES = 16 * 1024
MAX_VERSION_BYTES = 100
MAX_STATELESS_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Stateless:
    """An application's message to the other clients of the document; not kept."""

    payload: str


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; empty where the client has none."""

    token: bytes


@dataclass(frozen=True, slots=True)
class Leave:
    """The client is done with the document."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Is anybody there?"""


@dataclass(frozen=True, slots=True)
class Pong:
    """Somebody is."""


DocumentMessage = Message | Stateless | Token | Leave


def decode_alone(frame: bytes) -> Ping | Pong | None:
    """Read a message that has no address; None where the frame is another."""
    if len(frame) == 1:
        if frame[0] == PING:
            return Ping()
        if frame[0] == PONG:
            return Pong()
    return None


def decode_address(frame: bytes) -> tuple[bytes, int]:
    """Read the beginning of every other frame; gives the address as it is, and the position after it.

    Raises:
        MalformedError: there is none, or it is too long.
    """
    address, pos = read_var_bytes(frame, 0)
    if len(address) > MAX_ADDRESS_BYTES:
        raise MalformedError(f"A document's address may have at most {MAX_ADDRESS_BYTES} bytes.")
    return address, pos


def name_in(address: bytes) -> str:
    """The document's name; several clients of one document tell their sessions apart behind it.

    Raises:
        MalformedError: it is not UTF-8.
    """
    return _text(address, "address").partition("\0")[0]


def is_for_room(frame: bytes, pos: int) -> bool:
    """Whether the message at `pos` is for the live room, and not about the coming and going of the client."""
    kind, _ = read_canonical_var_uint(frame, pos)
    return kind not in {AUTH, CLOSE}


def decode_message_of(frame: bytes, pos: int) -> DocumentMessage:
    """Read what stands behind the address.

    Raises:
        MalformedError: it is none of the messages a client may send, or goes on after its end.
        MessageTooBigError: a Stateless message is too long.
    """
    kind, payload_pos = read_canonical_var_uint(frame, pos)
    if kind in {SYNC, AWARENESS, QUERY_AWARENESS}:
        return decode_message(frame, pos)
    message, end = _decode_own(kind, frame, payload_pos)
    if end != len(frame):
        raise MalformedError(f"{len(frame) - end} bytes follow the message; one message a frame is expected.")
    return message


def _decode_own(kind: int, frame: bytes, pos: int) -> tuple[DocumentMessage, int]:
    if kind == AUTH:
        return _decode_token(frame, pos)
    if kind == SYNC_REPLY:
        message = decode_message(bytes((SYNC,)) + frame[pos:])
        if isinstance(message, SyncStep1):
            message = SyncStep1(message.state_vector, is_reply=True)
        return message, len(frame)
    if kind == STATELESS:
        payload, pos = read_var_bytes(frame, pos)
        check_stateless(payload)
        return Stateless(_text(payload, "Stateless message")), pos
    if kind == CLOSE:
        return Leave(), pos
    raise MalformedError(f"A client may not send a message of type {kind}.")


def _decode_token(frame: bytes, pos: int) -> tuple[Token, int]:
    kind, pos = read_canonical_var_uint(frame, pos)
    if kind != AUTH_TOKEN:
        raise MalformedError(f"A client may not send an Auth message of type {kind}; expected 0, a token.")
    token, pos = read_var_bytes(frame, pos)
    if len(token) > MAX_TOKEN_BYTES:
        raise MalformedError(f"A token may have at most {MAX_TOKEN_BYTES} bytes.")
    if pos < len(frame):
        version, pos = read_var_bytes(frame, pos)
        if len(version) > MAX_VERSION_BYTES:
            raise MalformedError(f"A version may have at most {MAX_VERSION_BYTES} bytes.")
    return Token(token), pos


def check_stateless(payload: bytes) -> None:
    """Raises MessageTooBigError where the payload of a Stateless message is too long."""
    if len(payload) > MAX_STATELESS_BYTES:
        raise MessageTooBigError(f"A Stateless message may have at most {MAX_STATELESS_BYTES} bytes.")


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"The {what} is not UTF-8.") from error


def create_permission_denied_message(reason: str) -> bytes:
    return bytes((AUTH, AUTH_DENIED)) + write_var_bytes(reason.encode())


def create_authenticated_message(*, can_write: bool) -> bytes:
    scope = b"read-write" if can_write else b"readonly"
    return bytes((AUTH, AUTHENTICATED)) + write_var_bytes(scope)


def create_stateless_message(payload: str) -> bytes:
    return bytes((STATELESS,)) + write_var_bytes(payload.encode())


def create_close_message(reason: str) -> bytes:
    return bytes((CLOSE,)) + write_var_bytes(reason.encode())


#: The server wants the token, or a newer one.
TOKEN_WANTED_MESSAGE = bytes((AUTH, AUTH_TOKEN))
#: A change of the client is committed; or was not taken in.
SAVED_MESSAGE = bytes((SYNC_STATUS, 1))
REFUSED_MESSAGE = bytes((SYNC_STATUS, 0))
PONG_FRAME = bytes((PONG,))
#: Addressed to nobody, and so passed over by every client; the line is seen to be alive.
KEEP_ALIVE_FRAME = write_var_bytes(b"") + create_awareness_message(b"\x00")
