"""The messages of Hocuspocus: decoded strictly, every length bounded, the address repeated as it came."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.engine.errors import CollabError, MalformedError, MessageTooBigError
from collab.engine.hocuspocus import (
    KEEP_ALIVE_FRAME,
    MAX_ADDRESS_BYTES,
    MAX_STATELESS_BYTES,
    MAX_TOKEN_BYTES,
    MAX_VERSION_BYTES,
    PONG_FRAME,
    REFUSED_MESSAGE,
    SAVED_MESSAGE,
    TOKEN_WANTED_MESSAGE,
    Leave,
    Ping,
    Pong,
    Stateless,
    Token,
    create_authenticated_message,
    create_close_message,
    create_permission_denied_message,
    create_stateless_message,
    decode_address,
    decode_alone,
    decode_message_of,
    is_for_room,
    name_in,
)
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
)
from tests.engine.builders import var_bytes, var_uint

DOCUMENT = bytes.fromhex("066d792d646f63")
ADDRESSES = st.text(max_size=60).map(str.encode)
PAYLOADS = st.binary(max_size=300)


def decoded(frame: bytes) -> Any:
    """What the server makes of a frame: its address and message."""
    alone = decode_alone(frame)
    if alone is not None:
        return alone
    address, pos = decode_address(frame)
    name_in(address)
    return address, decode_message_of(frame, pos)


@given(ADDRESSES, PAYLOADS, st.text(max_size=100))
def test_message_encoded_and_decoded_is_the_same(address: bytes, payload: bytes, words: str) -> None:
    prefix = var_bytes(address)
    for frame, message in (
        (create_sync_step_1_message(payload), SyncStep1(payload)),
        (create_sync_step_2_message(payload), SyncStep2(payload)),
        (create_update_message(payload), Update(payload)),
        (create_awareness_message(payload), AwarenessMessage(payload)),
        (b"\x03", QueryAwareness()),
        (b"\x04" + create_sync_step_1_message(payload)[1:], SyncStep1(payload, is_reply=True)),
        (b"\x04" + create_update_message(payload)[1:], Update(payload)),
        (create_stateless_message(words), Stateless(words)),
        (b"\x02\x00" + var_bytes(payload), Token(payload)),
        (b"\x07", Leave()),
    ):
        assert decoded(prefix + frame) == (address, message)


def test_messages_are_those_of_the_providers_byte_for_byte() -> None:
    assert decoded(DOCUMENT + bytes.fromhex("0200 03746f6b 05342e352e30")) == (b"my-doc", Token(b"tok"))
    assert decoded(DOCUMENT + bytes.fromhex("0200 03746f6b")) == (b"my-doc", Token(b"tok"))
    assert decoded(bytes.fromhex("09")) == Ping()
    assert decoded(bytes.fromhex("0a")) == Pong()
    assert create_authenticated_message(can_write=True) == bytes.fromhex("02020a726561642d7772697465")
    assert create_authenticated_message(can_write=False) == bytes.fromhex("020208726561646f6e6c79")
    assert create_permission_denied_message("permission-denied") == bytes.fromhex(
        "0201117065726d697373696f6e2d64656e696564"
    )
    assert (bytes.fromhex("0801"), bytes.fromhex("0800")) == (SAVED_MESSAGE, REFUSED_MESSAGE)
    assert create_close_message("né") == bytes.fromhex("07036ec3a9")
    assert (bytes.fromhex("0200"), bytes.fromhex("0a")) == (TOKEN_WANTED_MESSAGE, PONG_FRAME)
    assert bytes.fromhex("00010100") == KEEP_ALIVE_FRAME


def test_session_id_is_part_of_the_address_and_not_of_the_name() -> None:
    address, pos = decode_address(bytes.fromhex("0a 6d792d646f6300616263 03"))
    assert address == b"my-doc\0abc"
    assert name_in(address) == "my-doc"
    assert pos == 11


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "8000",  # an address' length, over-long
        "066d792d64",  # an address that ends before its length
        "ffffffff0f",
        "066d792d646f63",  # no message behind it
        "066d792d646f63 820000 03746f6b",  # Auth, over-long: a filter on one byte would not see it
        "066d792d646f63 8000 02 020000",  # Sync, over-long
        "066d792d646f63 00 8200 020000",  # Update, over-long
        "066d792d646f63 00 03 0100",  # a sync message that does not exist
        "066d792d646f63 04 03 0100",
        "066d792d646f63 00 02 05 0000",  # an update that ends before its length
        "066d792d646f63 00 02 02 0000 00",  # something behind the message
        "066d792d646f63 03 00",
        "066d792d646f63 07 00",
        "066d792d646f63 0200 03746f6b 00 00",
        "066d792d646f63 02",
        "066d792d646f63 0201 0161",  # what only a server may send
        "066d792d646f63 0202 0161",
        "066d792d646f63 08 01",
        "066d792d646f63 05 02 c328",  # not UTF-8
        "066d792d646f63 06 0161",  # BroadcastStateless
        "066d792d646f63 09",
        "066d792d646f63 0a",
        "066d792d646f63 0b",
        "066d792d646f63 66",
    ],
)
def test_what_no_client_sends_is_refused(frame: str) -> None:
    with pytest.raises(MalformedError):
        decoded(bytes.fromhex(frame))


def test_name_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(MalformedError):
        name_in(b"\xc3\x28")


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (var_bytes(b"x" * (MAX_ADDRESS_BYTES + 1)) + b"\x03", MalformedError),
        (DOCUMENT + b"\x02\x00" + var_bytes(b"x" * (MAX_TOKEN_BYTES + 1)), MalformedError),
        (DOCUMENT + b"\x02\x00\x00" + var_bytes(b"x" * (MAX_VERSION_BYTES + 1)), MalformedError),
        (DOCUMENT + b"\x05" + var_bytes(b"x" * (MAX_STATELESS_BYTES + 1)), MessageTooBigError),
    ],
)
def test_what_is_too_long_is_refused(frame: bytes, error: type[CollabError]) -> None:
    with pytest.raises(error):
        decoded(frame)


def test_longest_of_everything_is_read() -> None:
    address = b"x" * MAX_ADDRESS_BYTES
    assert decoded(var_bytes(address) + b"\x05" + var_bytes(b"x" * MAX_STATELESS_BYTES))[0] == address
    token = b"x" * MAX_TOKEN_BYTES
    assert decoded(DOCUMENT + b"\x02\x00" + var_bytes(token)) == (b"my-doc", Token(token))


def test_only_auth_and_close_are_not_the_rooms() -> None:
    kinds = {kind for kind in range(12) if not is_for_room(DOCUMENT + bytes((kind,)), len(DOCUMENT))}
    assert kinds == {2, 7}


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(frame: bytes) -> None:
    with contextlib.suppress(MalformedError, MessageTooBigError):
        decoded(frame)


@given(st.integers(0, 20), st.integers(0, 5), st.integers(0, 2**70), st.binary(max_size=40))
def test_any_message_behind_an_address_is_read_or_refused(
    kind: int, step: int, length: int, payload: bytes
) -> None:
    frame = DOCUMENT + var_uint(kind) + var_uint(step) + var_uint(length) + payload
    with contextlib.suppress(MalformedError, MessageTooBigError):
        decoded(frame)


def test_updates_that_hurt_a_crdt_library_are_only_carried(hostile: dict[str, Any]) -> None:
    for entry in hostile["raw"]:
        if "hex" in entry:
            data = bytes.fromhex(entry["hex"])
            assert decoded(DOCUMENT + create_update_message(data)) == (b"my-doc", Update(data))
