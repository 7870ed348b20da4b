"""Versions of rows: two people who change the same thing must not overwrite one another unseen.

The version of a row is a digest of what a PATCH may change in it. So it moves with every change that one
could overwrite, and with nothing else: not when a link was used, or a room was shared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection

from accounts.errors import ChangedMeanwhileError
from accounts.models import Versioned


def version_of(row: Versioned) -> str:
    """32 hexadecimal digits."""
    told = [row._meta.label_lower, str(row.pk), *(getattr(row, field) for field in row.versioned_fields)]
    return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()[:32]


def check_unchanged(row: Versioned, if_match: Collection[str] | None) -> None:
    """Raise ChangedMeanwhileError if the row has none of these versions; with None, any is right.

    Call it after the row, or what its changes lock first, was locked and read, and the caller authorized.
    """
    if if_match is not None and version_of(row) not in if_match:
        raise ChangedMeanwhileError
