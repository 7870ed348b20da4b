"""Each target is given any bytes, and fails if what it holds to be true of them is not.

A target may refuse bytes with a `CollabError`; any other exception is a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from collab.engine.document import Document, join_encoded_updates
from collab.engine.encoding import write_var_bytes
from collab.engine.errors import CollabError, MalformedError
from collab.engine.gate import ParsedUpdate, parse_state_vector, parse_update
from collab.engine.hocuspocus import decode_address, decode_alone, decode_message_of, is_for_room, name_in
from collab.engine.protocol import (
    AwarenessMessage,
    QueryAwareness,
    SyncStep1,
    SyncStep2,
    Update,
    create_awareness_message,
    create_sync_step_1_message,
    create_sync_step_2_message,
    create_update_message,
    decode_message,
)
from tests.engine import update_gate_oracle as oracle
from tests.fuzz.rooms import awareness, rooms


def check(is_so: bool, law: str) -> None:
    if not is_so:
        raise AssertionError(law)


def gate(data: bytes) -> None:
    """The gate agrees with its oracle; what passes is taken in, joined and encoded without a loss."""
    found = _parsed(data)
    check((found is not None) == _accepts(oracle.check_update, data), "gate and oracle agree on an update")
    if found is None:
        return
    document, planned = Document(), Document()
    document.take_in(found)
    with planned.planning(found) as plan:
        for _ in plan.work():
            pass
        planned.take_in(found, plan)
    encoded = document.encode()
    check(planned.encode() == encoded, "a plan comes to the same")
    with document.reading({}) as reading:
        for _ in reading.work():
            pass
        check(bytes(document.read(reading, {})) == encoded, "a reading comes to the same")
    again = parse_update(encoded)
    check(document.contains(again) and not document.take_in(again), "a document contains itself")
    check(join_encoded_updates([encoded, data]) == encoded, "taking in twice changes nothing")
    vector = parse_state_vector(document.encoded_state_vector())
    check(vector == document.state_vector(), "the state vector is read back")
    halves = {client: clock // 2 for client, clock in vector.items()}
    difference = parse_update(document.difference(halves))
    check(document.contains(difference), "a difference is part of the document")


def state_vector(data: bytes) -> None:
    """The gate agrees with its oracle on state vectors."""
    try:
        parse_state_vector(data)
        is_accepted = True
    except MalformedError:
        is_accepted = False
    check(is_accepted == _accepts(oracle.check_state_vector, data), "gate and oracle agree on a vector")


def y_websocket(frame: bytes) -> None:
    """What a frame is read as is written as that frame again."""
    match decode_message(frame):
        case SyncStep1(vector):
            again = create_sync_step_1_message(vector)
        case SyncStep2(update):
            again = create_sync_step_2_message(update)
        case Update(update):
            again = create_update_message(update)
        case AwarenessMessage(states):
            again = create_awareness_message(states)
        case QueryAwareness():
            again = b"\x03"
    check(again == frame, "a frame has one form")


def hocuspocus(frame: bytes) -> None:
    """The address of a frame is written as it was; what is no message is refused."""
    if decode_alone(frame) is not None:
        check(len(frame) == 1, "a message without an address is one byte")
        return
    address, pos = decode_address(frame)
    check(frame.startswith(write_var_bytes(address)), "an address has one form")
    name_in(address)
    is_for_room(frame, pos)
    decode_message_of(frame, pos)


def _parsed(data: bytes) -> ParsedUpdate | None:
    try:
        return parse_update(data)
    except MalformedError:
        return None


def _accepts(check_bytes: Callable[[bytes], object], data: bytes) -> bool:
    try:
        check_bytes(data)
    except oracle.BadError:
        return False
    return True


TARGETS: dict[str, Callable[[bytes], None]] = {
    "gate": gate,
    "state_vector": state_vector,
    "y_websocket": y_websocket,
    "hocuspocus": hocuspocus,
    "awareness": awareness,
    "rooms": rooms,
}


def run(name: str, data: bytes) -> None:
    """Give a target bytes; a refusal is fine."""
    with suppress(CollabError):
        TARGETS[name](data)
