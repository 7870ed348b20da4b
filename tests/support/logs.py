"""What the database has of a room, read past the product."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from urllib.parse import urlsplit
from uuid import UUID

import psycopg


def stored_updates(database_url: str, room: str) -> list[str]:
    """The rows of a room's log (hex), in their order; without what a checkpoint has taken up."""
    query = "SELECT data FROM collab_storedupdate WHERE room_id = {} ORDER BY seq"
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(urlsplit(database_url).path)) as file:
            rows = file.execute(query.format("?"), [UUID(room).hex]).fetchall()
    else:
        with psycopg.connect(database_url) as session:
            rows = session.execute(query.format("%s"), [room]).fetchall()
    return [bytes(data).hex() for (data,) in rows]
