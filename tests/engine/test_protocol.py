"""The messages of y-websocket: decoded strictly, encoded in the shortest form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.engine.encoding import read_canonical_var_uint, read_var_uint, write_var_uint
from collab.engine.errors import MalformedError
from collab.engine.protocol import (
    KEEP_ALIVE_MESSAGE,
    AwarenessMessage,
    QueryAwareness,
    SyncStep1,
    SyncStep2,
    Update,
    create_awareness_message,
    create_permission_denied_message,
    create_sync_step_1_message,
    create_sync_step_2_message,
    create_update_message,
    decode_message,
)
from tests.engine.builders import var_bytes, var_uint

PAYLOADS = st.binary(max_size=300)


@given(PAYLOADS)
def test_message_encoded_and_decoded_is_the_same(payload: bytes) -> None:
    assert decode_message(create_sync_step_1_message(payload)) == SyncStep1(payload)
    assert decode_message(create_sync_step_2_message(payload)) == SyncStep2(payload)
    assert decode_message(create_update_message(payload)) == Update(payload)
    assert decode_message(create_awareness_message(payload)) == AwarenessMessage(payload)


def test_messages_are_those_of_the_protocol_byte_for_byte() -> None:
    assert create_sync_step_1_message(b"\x00") == bytes.fromhex("00000100")
    assert create_sync_step_2_message(b"\x00\x00") == bytes.fromhex("0001020000")
    assert create_update_message(b"\x00\x00") == bytes.fromhex("0002020000")
    assert create_permission_denied_message("né") == bytes.fromhex("0200036ec3a9")
    assert bytes.fromhex("010100") == KEEP_ALIVE_MESSAGE
    assert decode_message(b"\x03") == QueryAwareness()


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "00",
        "0000",
        "000002aa",  # a length of 2 and one byte
        "0002ffffffffffffff7f00",  # a length beyond every message
        "80000002020000",  # sync, over-long
        "008200020000",  # update, over-long
        "0002820000" + "00",  # a length, over-long
        "80800002020000",
        "00020200000003",  # more than one message
        "0300",
        "0103",
        "0003020000",  # a sync message of type 3
        "020000",  # auth: only the server says that
        "04",
        "66",
        "ff" * 20,
        "ffffffffffffffffff01",  # a number of ten bytes
    ],
)
def test_decode_message_of_what_no_client_sends_is_refused(frame: str) -> None:
    with pytest.raises(MalformedError):
        decode_message(bytes.fromhex(frame))


@given(st.binary(max_size=40))
def test_decode_message_of_random_bytes_gives_a_message_or_refuses(frame: bytes) -> None:
    """What is accepted has one spelling: encoded again, it is the same frame."""
    try:
        message = decode_message(frame)
    except MalformedError:
        return
    match message:
        case SyncStep1(payload):
            again = b"\x00\x00" + var_bytes(payload)
        case SyncStep2(payload):
            again = b"\x00\x01" + var_bytes(payload)
        case Update(payload):
            again = b"\x00\x02" + var_bytes(payload)
        case AwarenessMessage(payload):
            again = b"\x01" + var_bytes(payload)
        case QueryAwareness():
            again = b"\x03"
    assert again == frame


@given(PAYLOADS, st.integers(0, 310))
def test_decode_message_of_a_truncated_frame_is_refused(payload: bytes, length: int) -> None:
    frame = create_update_message(payload)
    if length < len(frame):
        with pytest.raises(MalformedError):
            decode_message(frame[:length])


def test_decode_message_of_a_very_long_number_reads_few_bytes() -> None:
    """lib0 for Python takes 11 s for it."""
    with pytest.raises(MalformedError, match="nine bytes"):
        decode_message(b"\xff" * 4_000_000)


@given(st.integers(0, 2**63 - 1))
def test_var_uint_written_and_read_is_the_same(number: int) -> None:
    encoded = write_var_uint(number)
    assert encoded == var_uint(number)
    assert read_var_uint(encoded, 0) == (number, len(encoded))
    assert read_canonical_var_uint(encoded, 0) == (number, len(encoded))


@given(st.integers(0, 2**42 - 1), st.integers(1, 3))
def test_var_uint_in_a_longer_form_is_read_but_is_not_canonical(number: int, more: int) -> None:
    encoded = bytearray(var_uint(number))
    encoded[-1] |= 128
    encoded += b"\x80" * (more - 1) + b"\x00"
    assert read_var_uint(bytes(encoded), 0) == (number, len(encoded))
    with pytest.raises(MalformedError):
        read_canonical_var_uint(bytes(encoded), 0)
