"""y-websocket frames made by hand, as hex; written apart from the product's codec, to test it."""

from __future__ import annotations

EMPTY_UPDATE = "0000"
EMPTY_VECTOR = "00"
#: What an invisible writer sends: a type that JavaScript reads as 0 although its first byte is not.
OVERLONG_SYNC = "8000"


def var_uint(number: int) -> str:
    """Seven bits a byte, least significant first."""
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return encoded.hex()


def var_bytes(payload: str) -> str:
    return var_uint(len(payload) // 2) + payload


def sync_step_1(vector: str = EMPTY_VECTOR) -> str:
    return "0000" + var_bytes(vector)


def sync_step_2(update: str = EMPTY_UPDATE) -> str:
    return "0001" + var_bytes(update)


def update(payload: str) -> str:
    return "0002" + var_bytes(payload)


def denied_reason(frame: str) -> str:
    """The reason in `02 00 varString`, of less than 128 bytes."""
    content = bytes.fromhex(frame)
    assert content[:2] == b"\x02\x00", frame
    assert content[2] == len(content) - 3, frame
    return content[3:].decode()


def payload_of(frame: str) -> str:
    """The update or state vector in a sync frame."""
    content = bytes.fromhex(frame)
    assert content[0] == 0, frame
    length = shift = 0
    position = 2
    while True:
        byte = content[position]
        position += 1
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    assert position + length == len(content), frame
    return content[position:].hex()
