"""Yjs updates and state vectors made by hand, byte for byte, without the product's encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from collab.engine.document import Document
from collab.engine.gate import ParsedUpdate, parse_update


def var_uint(number: int) -> bytes:
    """Seven bits a byte, least significant first."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def var_bytes(data: bytes) -> bytes:
    return var_uint(len(data)) + data


def gc(clocks: int = 1) -> bytes:
    """A struct of the least size."""
    return b"\x00" + var_uint(clocks)


def skip(clocks: int) -> bytes:
    """A gap."""
    return b"\x0a" + var_uint(clocks)


def text(content: str, after: tuple[int, int] | None = None) -> bytes:
    """A piece of text in the root `t`, behind the struct `(client, clock)` if one is given."""
    if after is None:
        return b"\x04\x01\x01t" + var_bytes(content.encode())
    return b"\x84" + var_uint(after[0]) + var_uint(after[1]) + var_bytes(content.encode())


def values(*encoded: bytes) -> bytes:
    """Values of an array in the root `a`, each in lib0's Any encoding."""
    return b"\x08\x01\x01a" + var_uint(len(encoded)) + b"".join(encoded)


def client(number: int, clock: int, *structs: bytes) -> bytes:
    """The structs of one client from `clock` on."""
    return var_uint(len(structs)) + var_uint(number) + var_uint(clock) + b"".join(structs)


def update(*clients: bytes, deletes: Mapping[int, Sequence[tuple[int, int]]] | None = None) -> bytes:
    """An update; `deletes` has for each client its (clock, length)."""
    return var_uint(len(clients)) + b"".join(clients) + delete_set(deletes or {})


def delete_set(deletes: Mapping[int, Sequence[tuple[int, int]]]) -> bytes:
    out = bytearray(var_uint(len(deletes)))
    for number, ranges in deletes.items():
        out += var_uint(number) + var_uint(len(ranges))
        for clock, length in ranges:
            out += var_uint(clock) + var_uint(length)
    return bytes(out)


def state_vector(clocks: Mapping[int, int]) -> bytes:
    return var_uint(len(clocks)) + b"".join(var_uint(c) + var_uint(k) for c, k in clocks.items())


def typed(number: int, content: str, clock: int = 0) -> bytes:
    """An update in which a client types `content` at the end of what it typed before."""
    return update(client(number, clock, text(content, (number, clock - 1) if clock else None)))


def document_of(*updates: bytes) -> Document:
    document = Document()
    for data in updates:
        document.take_in(parse_update(data))
    return document


def joined(updates: Iterable[bytes]) -> ParsedUpdate:
    """All updates as one, parsed."""
    return parse_update(document_of(*updates).encode())
