"""Values as their authors wrote them, put back into an update that a library has encoded again.

pycrdt keeps objects in hash maps: their keys come out in another order each time, so that two clients
could hold one value and print it differently. Where a struct is still there, its value must be the
bytes that came; a struct whose value was not there before gives the library away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from collab.engine.encoding import read_var_uint, write_var_uint
from collab.engine.gate import ParsedUpdate, Run, parse_update
from collab.engine.structs import ANY, EMBED, FORMAT, end_of_value, finish, read_position, read_struct

#: The kind of a content, and its bytes, by (client, clock).
Values = dict[tuple[int, int], tuple[int, bytes]]


class _Struct(NamedTuple):
    """A struct from `pos` to `end` of `data`, and the clocks it takes."""

    data: bytes
    clocks: range
    pos: int
    end: int

    @property
    def kind(self) -> int:
        return self.data[self.pos] & 31

    @property
    def content_pos(self) -> int:
        return read_position(self.data, self.pos)


def with_values_of(original: bytes, encoded: bytes) -> bytes:
    """The update `encoded`, with the values that `original` has for the same clocks.

    Raises:
        MalformedError: one of the two does not pass the gate.
        KeyError: a value was not there before, or was of another kind.
    """
    values: Values = {}
    for client, runs in parse_update(original).runs.items():
        for struct in _structs(runs):
            values.update(((client, clock), value) for clock, value in _values(struct))
    parsed = parse_update(encoded)
    out = bytearray(write_var_uint(len(parsed.runs)))
    for client, runs in parsed.runs.items():
        out += write_var_uint(sum(run.count for run in runs)) + write_var_uint(client)
        out += write_var_uint(runs[0].start if runs else 0)
        for struct in _structs(runs):
            out += _rewritten(struct, client, values)
    return bytes(out + _encoded_deletes(parsed))


def _structs(runs: Iterable[Run]) -> Iterator[_Struct]:
    for run in runs:
        clock, pos = run.start, 0
        while pos < len(run.data):
            clocks, end, _ = finish(read_struct(run.data, pos))
            yield _Struct(run.data, range(clock, clock + clocks), pos, end)
            clock, pos = clock + clocks, end


def _values(struct: _Struct) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """The clock, the kind and the bytes of each value that can be written in more than one way."""
    if struct.kind in (EMBED, FORMAT):
        yield struct.clocks[0], (struct.kind, struct.data[struct.content_pos : struct.end])
    elif struct.kind == ANY:
        _, pos = read_var_uint(struct.data, struct.content_pos)
        for clock in struct.clocks:
            end = end_of_value(struct.data, pos)
            yield clock, (ANY, struct.data[pos:end])
            pos = end


def _rewritten(struct: _Struct, client: int, values: Values) -> bytes:
    if struct.kind not in (EMBED, FORMAT, ANY):
        return struct.data[struct.pos : struct.end]
    found = [values[client, clock] for clock in struct.clocks]
    if any(kind != struct.kind for kind, _ in found):
        raise KeyError(f"content of kind {struct.kind}")
    count = write_var_uint(len(found)) if struct.kind == ANY else b""
    return struct.data[struct.pos : struct.content_pos] + count + b"".join(value for _, value in found)


def _encoded_deletes(parsed: ParsedUpdate) -> bytes:
    out = bytearray(write_var_uint(len(parsed.deletes)))
    for client, ranges in parsed.deletes.items():
        out += write_var_uint(client) + write_var_uint(len(ranges))
        for start, end in ranges:
            out += write_var_uint(start) + write_var_uint(end - start)
    return bytes(out)
