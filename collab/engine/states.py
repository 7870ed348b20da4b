"""Awareness states as JSON text: checked for every peer, and stamped with who it is of.

A state is cut and joined as text and never encoded again, so that all else a client says comes out as
it went in: numbers that no float holds, the order of keys, unknown fields.
"""

from __future__ import annotations

import re
from array import array
from itertools import accumulate
from json import JSONDecoder
from typing import NamedTuple, NoReturn

from collab.engine.errors import MalformedError
from collab.engine.identity import Identity
from collab.engine.structs import MAX_DEPTH

NULL = b"null"
#: Fields of a state, and of its `user`.
MAX_FIELDS = 200


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# Numbers stay text: nobody here counts with them, and the long ones are slow.
_decode = JSONDecoder(parse_constant=_refuse_constant, parse_float=str, parse_int=str).raw_decode
_SPACE = re.compile(r"[ \t\n\r]*")
_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_NEXT = re.compile(r'[ \t\n\r]*(?:,[ \t\n\r]*(?=")|(\}))')
_FIRST = re.compile(r'\{[ \t\n\r]*(?:(?=")|(\}))')
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
#: Brackets as steps down and up, in signed bytes.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")


def checked_state(state: bytes, max_bytes: int, identity: Identity | None = None) -> bytes:
    """A state of a client, as the others are told of it.

    Args:
        identity: what stands in its `user` in place of what the client says there. All other fields, of
            `user` too, stay as they are; a state without `user` gets one, and `null` stays `null`.

    Raises:
        MalformedError: it is longer than `max_bytes`, or not an object that every client's `JSON.parse`
            reads in the same way.
    """
    if state == NULL:
        return state
    if len(state) > max_bytes:
        raise MalformedError(f"An awareness state has {len(state)} bytes; at most {max_bytes} are allowed.")
    _check_depth(state)
    try:
        text = state.decode()
        if identity is not None:
            return _stamped(text, identity).encode()
        value, end = _decode(text, 0)
    except (ValueError, RecursionError) as error:
        raise MalformedError("An awareness state is not JSON.") from error
    if end != len(text) or not isinstance(value, dict):
        raise MalformedError("An awareness state is neither an object nor null.")
    return state


def _check_depth(state: bytes) -> None:
    """Refuse what is nested too deep: some clients read it by recursion."""
    if state.count(b"[") + state.count(b"{") <= MAX_DEPTH:
        return
    steps = _STRING.sub(b"", state).translate(_STEPS, _NO_BRACKETS)
    if max(accumulate(array("b", steps)), default=0) > MAX_DEPTH:
        raise MalformedError(f"An awareness state is nested more than {MAX_DEPTH} deep.")


class _Field(NamedTuple):
    """A field of an object: it begins at `start` with its key, its value is from `value_start` to `end`."""

    start: int
    value_start: int
    end: int


def _stamped(text: str, identity: Identity) -> str:
    fields, end = _read_fields(text, 0)
    if end != len(text):
        raise ValueError("something follows")
    user = fields.get("user")
    if user is not None:
        return f"{text[: user.value_start]}{_stamped_user(text, user, identity)}{text[user.end :]}"
    comma = "," if fields else ""
    return f'{text[: end - 1]}{comma}"user":{{{identity.text}}}}}'


def _stamped_user(text: str, user: _Field, identity: Identity) -> str:
    parts = [identity.text] if identity.text else []
    if text[user.value_start] == "{":
        fields, _ = _read_fields(text, user.value_start)
        parts += [text[own.start : own.end] for name, own in fields.items() if name not in identity.names]
    return "{" + ",".join(parts) + "}"


def _read_fields(text: str, pos: int) -> tuple[dict[str, _Field], int]:
    """The fields of the object that begins at `pos`, and where it ends; its values are read, not kept.

    Raises:
        ValueError: it is no JSON.
        MalformedError: a name stands there twice, so that readers could differ; or there are too many.
    """
    fields: dict[str, _Field] = {}
    step = _FIRST.match(text, pos)
    while step is not None:
        pos = step.end()
        if step[1]:
            return fields, pos
        name, key_end = _decode(text, pos)
        colon = _COLON.match(text, key_end)
        if colon is None:
            break
        _, end = _decode(text, colon.end())
        if name in fields or len(fields) >= MAX_FIELDS:
            raise MalformedError(f"An awareness state has a field twice, or more than {MAX_FIELDS} fields.")
        fields[name] = _Field(pos, colon.end(), end)
        step = _NEXT.match(text, end)
    raise ValueError("no object")
