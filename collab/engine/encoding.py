"""The primitives of lib0's binary encoding: unsigned numbers of variable length, byte strings.

A number is written seven bits a byte, least significant first; bit 7 says that more follow.
Readers take the bytes and a position and give the value and the position after it, so that a walk
over an update makes no copies. Source: lib0 `encoding.js`, `decoding.js`.
"""

from __future__ import annotations

from collab.engine.errors import MalformedError

_TRUNCATED = "The message ends in the middle of a number."


def read_var_uint(data: bytes, pos: int) -> tuple[int, int]:
    """Read a number below 2^63. Over-long forms are accepted, as every Yjs decoder does.

    Raises:
        MalformedError: the bytes end, or the number goes on for more than nine bytes.
    """
    try:
        byte = data[pos]
        if byte < 128:
            return byte, pos + 1
        value = byte & 127
        shift = 7
        while True:
            pos += 1
            byte = data[pos]
            value |= (byte & 127) << shift
            if byte < 128:
                return value, pos + 1
            shift += 7
            if shift > 56:
                raise MalformedError("A number is longer than nine bytes.")
    except IndexError:
        raise MalformedError(_TRUNCATED) from None


def read_canonical_var_uint(data: bytes, pos: int) -> tuple[int, int]:
    """Read a number that must be in its shortest form: an over-long one walks past naive filters."""
    value, end = read_var_uint(data, pos)
    if end - pos > 1 and data[end - 1] == 0:
        raise MalformedError("A number is not written in its shortest form.")
    return value, end


def read_var_bytes(data: bytes, pos: int) -> tuple[bytes, int]:
    """Read a length, in its shortest form, and that many bytes; checked before anything is copied."""
    length, pos = read_canonical_var_uint(data, pos)
    end = pos + length
    if end > len(data):
        raise MalformedError(f"A length of {length} bytes is given where {len(data) - pos} are left.")
    return data[pos:end], end


def write_var_uint(value: int) -> bytes:
    """Write a number in its shortest form."""
    if value < 128:
        return bytes((value,))
    out = bytearray()
    while value > 127:
        out.append(128 | (value & 127))
        value >>= 7
    out.append(value)
    return bytes(out)


def write_var_bytes(data: bytes) -> bytes:
    return write_var_uint(len(data)) + data
