"""One struct of a Yjs update (v1): how many clocks it takes, where it ends, and how to cut it.

A struct is an info byte, where it stands (origins, or its parent), and a content. The low five bits
of the info byte name the content:

    0 GC   1 Deleted   2 JSON   3 Binary   4 String   5 Embed   6 Format   7 Type   8 Any
    9 Doc (subdocument)   10 Skip (a gap; not a struct of the document)

Reading a struct is checking it: counts within the bytes that are left, nesting at most `MAX_DEPTH`,
valid UTF-8, clocks below 2^31, client ids below 2^53. Contents that a few bytes can make long to read
are read in slices: the readers are generators that yield now and then, so that whoever drives them
can let the event loop go on. Sources: yjs `Item.js`, `ContentX.js`; lib0 `encoding.js` (Any).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Final, TypeVar, cast

from collab.engine.encoding import read_var_uint, write_var_uint
from collab.engine.errors import MalformedError

MAX_CLOCK: Final = (1 << 31) - 1
MAX_CLIENT_BITS: Final = 53
MAX_DEPTH: Final = 100
#: Bytes or values between two yields; about a millisecond.
SLICE: Final = 2048

GC, DELETED, JSON, BINARY, STRING, EMBED, FORMAT, TYPE, ANY, DOC, SKIP = range(11)
HAS_ORIGIN, HAS_RIGHT_ORIGIN, HAS_PARENT_SUB = 0x80, 0x40, 0x20
_XML_ELEMENT, _XML_HOOK, _XML_TEXT = 3, 5, 6

_ANY_BIG_INT = 122
_NEGATIVE_ZEROS = {123: b"\x80" + bytes(7), 124: b"\x80" + bytes(3)}
#: A string, which may lack its end; an opening or a closing bracket.
_JSON_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)

#: `(clocks, end, is_reencodable)`; the last is False where a CRDT library would change the content.
StructRead = tuple[int, int, bool]
Walk = Generator[None, None, StructRead]
#: Where some values of a long content begin: (values before it, position).
Places = list[tuple[int, int]]


def read_struct(data: bytes, pos: int, places: Places | None = None) -> Walk:
    """Check the struct at `pos`, which must not be a Skip.

    Args:
        places: is given a place every `SLICE` values or so, for `cut_struct`.

    Raises:
        MalformedError: it breaks one of the rules above.
    """
    ref = data[pos] & 31
    content_pos = read_position(data, pos)
    read_short = _SHORT_CONTENTS.get(ref)
    if read_short:
        clocks, end, is_reencodable = read_short(data, content_pos)
    else:
        clocks, end, is_reencodable = yield from _read_long_content(data, content_pos, ref, places)
    if clocks < 1:
        raise MalformedError("A struct takes no clock.")
    return clocks, end, is_reencodable


def read_position(data: bytes, pos: int) -> int:
    """Check the info byte and where the struct stands; give the position of its content."""
    info = data[pos]
    pos += 1
    if info & 31 == GC:
        if info:
            raise MalformedError(f"Info byte {info} is unknown.")
        return pos
    if info & HAS_ORIGIN:
        pos = _read_id(data, pos)
    if info & HAS_RIGHT_ORIGIN:
        pos = _read_id(data, pos)
    if not info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN):
        is_root, pos = read_var_uint(data, pos)
        if is_root == 1:
            pos = _read_text(data, pos)
        elif is_root == 0:
            pos = _read_id(data, pos)
        else:
            raise MalformedError("The parent of a struct is neither a name nor an id.")
        if info & HAS_PARENT_SUB:
            pos = _read_text(data, pos)
    return pos


def _read_long_content(data: bytes, pos: int, ref: int, places: Places | None) -> Walk:
    if ref == ANY:
        clocks, pos = _read_count(data, pos, 1)
        _, pos, is_reencodable = yield from _read_any(data, pos, clocks, places)
        return clocks, pos, is_reencodable
    if ref == JSON:
        clocks, pos = _read_count(data, pos, 1)
        for index in range(clocks):
            pos = yield from _read_json(data, pos)
            if index % SLICE == SLICE - 1:
                if places is not None:
                    places.append((index + 1, pos))
                yield
        return clocks, pos, False
    if ref == EMBED:
        return 1, (yield from _read_json(data, pos)), True
    if ref == FORMAT:
        return 1, (yield from _read_json(data, _read_text(data, pos))), True
    if ref == DOC:
        _, pos, _ = yield from _read_any(data, _read_text(data, pos), 1)
        return 1, pos, False
    raise MalformedError(f"Content of kind {ref} is unknown.")


def _read_string(data: bytes, pos: int) -> StructRead:
    """JavaScript counts UTF-16 units, and so do clocks."""
    length, pos = read_var_uint(data, pos)
    end = pos + length
    if end > len(data):
        raise MalformedError(f"A text of {length} bytes is given where {len(data) - pos} are left.")
    text = data[pos:end]
    if text.isascii():
        return length, end, True
    try:
        return len(text.decode().encode("utf-16-le")) // 2, end, True
    except UnicodeDecodeError:
        raise MalformedError("A text is not valid UTF-8.") from None


def _read_deleted(data: bytes, pos: int) -> StructRead:
    clocks, pos = read_var_uint(data, pos)
    return clocks, pos, True


def _read_binary(data: bytes, pos: int) -> StructRead:
    return 1, _end_of_bytes(data, pos), True


def _read_type(data: bytes, pos: int) -> StructRead:
    kind, pos = read_var_uint(data, pos)
    if kind > _XML_TEXT:
        raise MalformedError(f"A shared type of kind {kind} is unknown.")
    if kind in (_XML_ELEMENT, _XML_HOOK):
        pos = _read_text(data, pos)
    return 1, pos, kind != _XML_HOOK


#: Contents that are read at once, whatever they hold.
_SHORT_CONTENTS: Final[dict[int, Callable[[bytes, int], StructRead]]] = {
    GC: _read_deleted,
    DELETED: _read_deleted,
    BINARY: _read_binary,
    STRING: _read_string,
    TYPE: _read_type,
}


def _read_any(data: bytes, pos: int, count: int, places: Places | None = None) -> Walk:
    """Read `count` values of lib0's Any encoding, nested ones with a stack instead of recursion."""
    total = count
    left = [count]  # values still to be read, a level; a map's are counted below zero
    is_reencodable = True
    steps = 0
    is_place_due = False
    while left:
        if left[-1] == 0:
            left.pop()
            continue
        steps += 1
        if steps % SLICE == 0:
            is_place_due = places is not None
            yield
        if is_place_due and places is not None and len(left) == 1:
            is_place_due = False
            places.append((total - left[0], pos))
        if left[-1] < 0:
            left[-1] += 1
            pos = _read_text(data, pos)
        else:
            left[-1] -= 1
        tag = _byte(data, pos)
        pos += 1
        if tag == 119:  # string
            pos = _read_text(data, pos)
        elif tag == 125:  # integer
            end = _end_of_integer(data, pos)
            is_reencodable = is_reencodable and data[pos:end] != b"\x40"
            pos = end
        elif tag in (127, 126, 121, 120):  # undefined, null, false, true
            pass
        elif tag in (122, 123, 124):  # BigInt, float64, float32
            end = pos + (4 if tag == 124 else 8)
            if end > len(data):
                raise MalformedError("The update ends in the middle of a number.")
            if tag == _ANY_BIG_INT or data[pos:end] == _NEGATIVE_ZEROS[tag]:
                is_reencodable = False
            pos = end
        elif tag in (117, 118):  # array, map
            is_map = tag == 118
            count, pos = _read_count(data, pos, 2 if is_map else 1)
            if len(left) > MAX_DEPTH:
                raise MalformedError(f"A value is nested more than {MAX_DEPTH} deep.")
            left.append(-count if is_map else count)
        elif tag == 116:  # bytes
            pos = _end_of_bytes(data, pos)
        else:
            raise MalformedError(f"A value of kind {tag} is unknown.")
    return 0, pos, is_reencodable


def _read_json(data: bytes, pos: int) -> Generator[None, None, int]:
    """Check a JSON text as far as nesting goes; what it says stays the business of the clients."""
    end = _read_text(data, pos)
    text = data[read_var_uint(data, pos)[1] : end]
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH:
        depth = 0
        for steps, token in enumerate(_JSON_TOKEN.finditer(text)):
            char = token[0][:1]
            if char in b"[{":
                depth += 1
                if depth > MAX_DEPTH:
                    raise MalformedError(f"A JSON text is nested more than {MAX_DEPTH} deep.")
            elif char in b"]}":
                depth -= 1
            if steps % SLICE == SLICE - 1:
                yield
    return end


def _read_id(data: bytes, pos: int) -> int:
    client, pos = read_var_uint(data, pos)
    clock, pos = read_var_uint(data, pos)
    if client >> MAX_CLIENT_BITS or clock > MAX_CLOCK:
        raise MalformedError("An id is out of range.")
    return pos


def _read_count(data: bytes, pos: int, least_bytes: int) -> tuple[int, int]:
    count, pos = read_var_uint(data, pos)
    if count * least_bytes > len(data) - pos:
        raise MalformedError(f"A count of {count} is given where {len(data) - pos} bytes are left.")
    return count, pos


def _read_text(data: bytes, pos: int) -> int:
    """Check a UTF-8 text; give the position after it."""
    length, pos = read_var_uint(data, pos)
    end = pos + length
    if end > len(data):
        raise MalformedError(f"A text of {length} bytes is given where {len(data) - pos} are left.")
    try:
        data[pos:end].decode()
    except UnicodeDecodeError:
        raise MalformedError("A text is not valid UTF-8.") from None
    return end


def _end_of_bytes(data: bytes, pos: int) -> int:
    length, pos = read_var_uint(data, pos)
    if length > len(data) - pos:
        raise MalformedError(f"A length of {length} bytes is given where {len(data) - pos} are left.")
    return pos + length


def _end_of_integer(data: bytes, pos: int) -> int:
    for end in range(pos + 1, pos + 10):
        if _byte(data, end - 1) < 128:
            return end
    raise MalformedError("A number is longer than nine bytes.")


def _byte(data: bytes, pos: int) -> int:
    if pos >= len(data):
        raise MalformedError("The update ends in the middle of a struct.")
    return data[pos]


def end_of_value(data: bytes, pos: int) -> int:
    """Where the value at `pos`, in lib0's Any encoding, ends."""
    return finish(_read_any(data, pos, 1))[1]


def cut_struct(
    data: bytes,
    pos: int,
    end: int,
    *,
    client: int,
    clock: int,
    offset: int,
    place: tuple[int, int] = (0, 0),
) -> bytes:
    """The struct from `pos` to `end`, checked and starting at `clock`, without its first `offset` clocks.

    As Yjs writes the rest of an item: it stands after what was cut off, and a surrogate pair that is
    cut in two leaves U+FFFD. Source: yjs `Item.write(encoder, offset)`, `ContentString.splice`.

    Args:
        place: values before it and bytes behind it of a place at or before the cut, see `read_struct`;
            saves reading what comes before.
    """
    info = data[pos]
    ref = info & 31
    content = _cut_content(data[read_position(data, pos) : end], ref, offset, place)
    if ref == GC:
        return bytes((info,)) + content
    origin = write_var_uint(client) + write_var_uint(clock + offset - 1)
    right_origin = b""
    if info & HAS_RIGHT_ORIGIN:
        start = _read_id(data, pos + 1) if info & HAS_ORIGIN else pos + 1
        right_origin = data[start : _read_id(data, start)]
    return bytes((info | HAS_ORIGIN,)) + origin + right_origin + content


def _cut_content(content: bytes, ref: int, offset: int, place: tuple[int, int]) -> bytes:
    count, pos = read_var_uint(content, 0)
    if ref in (GC, DELETED):
        return write_var_uint(count - offset)
    if ref == STRING:
        rest = _cut_text(content[pos:], offset)
        return write_var_uint(len(rest)) + rest
    if ref not in (ANY, JSON):
        raise ValueError(f"content of kind {ref} takes one clock and cannot be cut")
    before, bytes_left = place
    if before:
        pos = len(content) - bytes_left
    if ref == ANY:
        pos = finish(_read_any(content, pos, offset - before))[1]
    else:
        for _ in range(offset - before):
            pos = _end_of_bytes(content, pos)
    return write_var_uint(count - offset) + content[pos:]


def _cut_text(text: bytes, offset: int) -> bytes:
    """A text without its first `offset` UTF-16 units."""
    if text.isascii():
        return text[offset:]
    return text.decode().encode("utf-16-le")[2 * offset :].decode("utf-16-le", errors="replace").encode()


T = TypeVar("T")


def finish(walk: Generator[None, None, T]) -> T:
    """Drive a walk to its end without a pause."""
    while True:
        try:
            next(walk)
        except StopIteration as done:
            return cast("T", done.value)
