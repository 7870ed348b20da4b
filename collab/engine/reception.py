"""What the clients of a live room send: decoded, counted and timed, authorized, and given to the room.

Everything between two `await`s happens at once: a frame is authorized and taken in without a pause, except
that a long update is walked in slices before that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from collab.engine.connection import Clocks, Connection
from collab.engine.errors import CollabError, MessageTooBigError, UpdateRefusedError
from collab.engine.gate import (
    SHORT_BYTES,
    ParsedUpdate,
    parse_state_vector,
    parse_state_vector_in_slices,
    parse_update,
)
from collab.engine.hocuspocus import DocumentMessage, Stateless
from collab.engine.plans import Plan
from collab.engine.protocol import (
    AwarenessMessage,
    QueryAwareness,
    SyncStep1,
    SyncStep2,
    Update,
    decode_message,
)
from collab.engine.room import LiveRoom, let_go
from collab.engine.slices import keep_up

logger = logging.getLogger("collab.room")

READ_ONLY = "You may read this room, but not change it."

Decode = Callable[[bytes], DocumentMessage]


async def receive(
    room: LiveRoom, connection: Connection, frame: bytes, decode: Decode = decode_message
) -> None:
    """Handle one frame of a client; those of a closed connection have no effect.

    Cancelled while a long update is walked, it leaves nothing behind.

    Args:
        decode: reads the frame, as the client's protocol has it.

    Raises:
        CollabError: the connection must be closed with it.
    """
    if connection.is_closed:
        return
    connection.count_message()
    if len(frame) > room.limits.max_message_bytes:
        raise MessageTooBigError(f"A message may have at most {room.limits.max_message_bytes} bytes.")
    if not await connection.pace():
        return
    with connection.meter:
        message = decode(frame)
    match message:
        case SyncStep1(state_vector, is_reply):
            await _receive_question(room, connection, state_vector, is_reply=is_reply)
        case SyncStep2(update):
            await _receive_update(room, connection, update, is_answer=True)
        case Update(update):
            await _receive_update(room, connection, update, is_answer=False)
        case AwarenessMessage(awareness):
            await room.presence.receive(connection, awareness)
        case QueryAwareness():
            with connection.meter:
                room.presence.send_to(connection)
        case Stateless(payload):
            await _receive_stateless(room, connection, payload)


def receive_at_once(
    room: LiveRoom, connection: Connection, frame: bytes, decode: Decode = decode_message
) -> bool:
    """Handle one frame of a client, if nothing has to be waited for; else `receive` has to.

    Returns:
        Whether it was handled. If not, nothing was taken in, and what is wrong with it `receive` says.
    """
    if len(frame) > SHORT_BYTES or len(frame) > room.limits.max_message_bytes:
        return False
    if connection.is_closed or connection.confirmation is not None or connection.meter.pause_s():
        return False
    try:
        with connection.meter:
            match decode(frame):
                case Update(update):
                    connection.count_message()
                    _receive_short_update(room, connection, update)
                case AwarenessMessage(awareness):
                    connection.count_message()
                    room.presence.receive_short(connection, awareness)
                case _:
                    return False
    except CollabError:
        return False
    except Exception:  # a fault of ours ends one connection, and not the line's parser
        logger.exception("Connection %s closed: a frame could not be handled", connection.id)
        room.close_connection(connection, CollabError("Internal error."))
    return True


async def _receive_question(
    room: LiveRoom, connection: Connection, state_vector: bytes, *, is_reply: bool
) -> None:
    known = await _parse_state_vector(room, connection, state_vector)
    if connection.asks_in_turn and not is_reply:
        await room.answers.prepare_question(connection.meter)
        with connection.meter:
            connection.ask(room.answers.question(), in_turn=True)
    await room.answers.answer(connection, known)


async def _parse_state_vector(room: LiveRoom, connection: Connection, data: bytes) -> Clocks:
    if len(data) <= SHORT_BYTES:
        return parse_state_vector(data)
    return await parse_state_vector_in_slices(data, room.limits.max_structs_per_update, connection.meter)


def _receive_short_update(room: LiveRoom, connection: Connection, data: bytes) -> None:
    changes = connection.changes_in(is_answer=False)
    try:
        update = parse_update(data, room.limits.max_structs_per_update)
        _take_in(room, connection, update, changes, is_answer=False)
    except UpdateRefusedError as error:
        connection.deny(str(error), changes)


async def _receive_update(room: LiveRoom, connection: Connection, data: bytes, *, is_answer: bool) -> None:
    changes = connection.changes_in(is_answer=is_answer)
    try:
        update = await room.parse(data, connection.meter)
        while not connection.is_closed:
            document = room.document
            with room.planning(update) as plan:
                await keep_up(plan, connection.meter)
                while connection.confirmation is not None:
                    await _settled(connection)
                    await keep_up(plan, connection.meter)
                if connection.is_closed or room.document is not document:
                    continue  # compaction has put another in its place
                with connection.meter:
                    _take_in(room, connection, update, changes, is_answer=is_answer, plan=plan)
            await let_go(update, plan, connection.meter)
            return
    except UpdateRefusedError as error:
        connection.deny(str(error), changes)


def _take_in(
    room: LiveRoom,
    connection: Connection,
    update: ParsedUpdate,
    changes: int,
    *,
    is_answer: bool,
    plan: Plan | None = None,
) -> None:
    """Take in what a connection has sent, if it may write, or brings nothing new in its answer."""
    on_saved = partial(connection.confirm, changes) if changes else None
    if connection.can_write:
        room.take_in(update, connection, on_saved, plan)
    elif not (is_answer and room.document.contains(update, plan)):
        connection.deny_writing(READ_ONLY, changes)
    elif on_saved is not None:
        room.when_saved(on_saved)


async def _receive_stateless(room: LiveRoom, connection: Connection, payload: str) -> None:
    """Pass an application's message on to the others, from those who may write."""
    await _settled(connection)
    if connection.is_closed:
        return
    with connection.meter:
        if connection.can_write:
            room.send_stateless(payload, connection)
        else:
            connection.on_write_denied()


async def _settled(connection: Connection) -> None:
    """Return when it is known what the connection may do now."""
    while connection.confirmation is not None:  # it may be in doubt again when this goes on
        await connection.confirmation.wait()
