"""Who somebody is to the others: the `user` of awareness states, as the server says it.

    {"id": "5f0c…", "name": "Ada", "color": "#0072ef"}

These are the names that editor bindings look for: y-prosemirror, Tiptap, BlockNote, y-codemirror.next
and y-quill show `name` on a cursor of `color`; y-prosemirror takes a colour as #rrggbb alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

#: Each with a contrast of 4.5 : 1 or more both on white and on black (WCAG 2, AA); the last eight are muted.
PALETTE = (
    *("#e8005e", "#e42c00", "#b65d00", "#9c6b00", "#847500", "#668000", "#008923", "#008664"),
    *("#05837e", "#008092", "#007dae", "#0072ef", "#685bfd", "#9d42f4", "#c22acd", "#dd0099"),
    *("#9c6665", "#926d48", "#767846", "#507f60", "#397f82", "#50789b", "#756f9c", "#926888"),
)
#: What an identity may add to a state.
MAX_IDENTITY_BYTES = 2048


def color_of(user_id: str) -> str:
    """The colour of a user, `#rrggbb`: the same in every room, process and release."""
    digest = hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).digest()
    return PALETTE[int.from_bytes(digest[:4], "big") % len(PALETTE)]


class Identity:
    """Fields of `user` that the server sets, whatever the client says in them.

    Args:
        fields: JSON values by name. `id` tells who it is: connections with the same one are of the same
            user. Where there is an `id` and no `color`, that is made from it.

    Raises:
        ValueError: they are no JSON, or longer than `MAX_IDENTITY_BYTES`.
    """

    __slots__ = ("names", "text", "user_id")

    def __init__(self, fields: Mapping[str, Any]) -> None:
        found = dict(fields)
        self.user_id = str(found["id"]) if found.get("id") is not None else None
        if self.user_id is not None:
            found.setdefault("color", color_of(self.user_id))
        self.names = frozenset(found)
        #: The fields as JSON text, without the braces.
        self.text = json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":"))[1:-1]
        if len(self.text.encode()) > MAX_IDENTITY_BYTES:
            raise ValueError(f"An identity may have at most {MAX_IDENTITY_BYTES} bytes.")
