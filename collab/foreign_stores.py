"""Yjs documents in the stores of other servers, one at a time, read and never written.

    hocuspocus-sqlite     table documents(name, data): a document's whole state, as one update
    hocuspocus-database   what a query in PostgreSQL gives: name, data
    ypy-sqlite            yupdates(path, yupdate, …) and, of pycrdt-store, ycheckpoints(path, checkpoint, …)
    ypy-file              a file a document: "VERSION:2\\n", then varBytes(update) varBytes(metadata)
                          varBytes(time), and so on
    updates               JSON lines {"name": …, "update": base64}; a name may come again

Nothing is believed: what is read here still has to pass the gate. Sources: `extension-sqlite` of Hocuspocus,
`ystore.py` of ypy-websocket 0.12, `pycrdt.store` 0.1.
"""

from __future__ import annotations

import base64
import binascii
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import psycopg

from accounts.errors import first_line
from collab.engine.encoding import read_var_bytes
from collab.engine.errors import MalformedError

#: The one version of the stores of ypy-websocket and pycrdt-store that was ever in wide use.
_YPY_VERSION = 2
_YPY_HEADER = b"VERSION:"
#: Rows of a query that are fetched at a time.
_ROWS = 20


class StoreError(Exception):
    """The store as a whole can't be read."""


class UnreadableError(Exception):
    """One document can't be read; the others can."""


@dataclass(frozen=True, slots=True)
class ForeignDocument:
    """A document as its store has it: `read` gives its updates in order, or raises `UnreadableError`."""

    name: str
    read: Callable[[], Iterable[bytes]]


class ForeignStore(Protocol):
    """Both raise `StoreError`."""

    def count(self) -> int:
        """How many documents it has."""

    def __iter__(self) -> Iterator[ForeignDocument]:
        """All of them; each is read before the next one is asked for."""


class HocuspocusSqlite:
    """The SQLite extension of Hocuspocus."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def count(self) -> int:
        with _sqlite(self._path) as database:
            return int(database.execute("SELECT count(*) FROM documents").fetchone()[0])

    def __iter__(self) -> Iterator[ForeignDocument]:
        with _sqlite(self._path) as database:
            for name, data in database.execute("SELECT name, data FROM documents ORDER BY name"):
                yield ForeignDocument(str(name), partial(_single, data))


class Query:
    """Rows `(name, data)` of PostgreSQL, such as those that the Database extension of Hocuspocus wrote."""

    def __init__(self, url: str, query: str) -> None:
        self._url = url
        self._query = query.rstrip().rstrip(";")

    def count(self) -> int:
        with _postgres(self._url) as connection:
            row = connection.execute(f"SELECT count(*) FROM ({self._query}) AS documents").fetchone()  # noqa: S608
            return int(row[0]) if row else 0

    def __iter__(self) -> Iterator[ForeignDocument]:
        with _postgres(self._url) as connection, connection.cursor("documents") as cursor:
            cursor.itersize = _ROWS
            cursor.execute(self._query)
            if len(cursor.description or ()) != 2:
                raise StoreError("The query must give two columns: the name, and the data.")
            for name, data in cursor:
                yield ForeignDocument(str(name), partial(_single, data))


class YpySqlite:
    """The `SQLiteYStore` of ypy-websocket and of pycrdt-store."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def count(self) -> int:
        with _sqlite(self._path) as database:
            self._check_version(database)
            return int(database.execute(f"SELECT count(*) FROM ({self._paths(database)})").fetchone()[0])  # noqa: S608

    def __iter__(self) -> Iterator[ForeignDocument]:
        with _sqlite(self._path) as database:
            self._check_version(database)
            has_checkpoints = _has_checkpoints(database)
            for (path,) in database.execute(f"{self._paths(database)} ORDER BY path"):
                read = partial(_ypy_updates, database, path, has_checkpoints=has_checkpoints)
                yield ForeignDocument(str(path), read)

    def _check_version(self, database: sqlite3.Connection) -> None:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version != _YPY_VERSION:
            raise StoreError(f"{self._path} has version {version}, where {_YPY_VERSION} is expected.")

    def _paths(self, database: sqlite3.Connection) -> str:
        both = " UNION SELECT path FROM ycheckpoints" if _has_checkpoints(database) else ""
        return f"SELECT DISTINCT path FROM yupdates{both}"  # noqa: S608


class YpyFiles:
    """The `FileYStore` of ypy-websocket and pycrdt-store: one file, or a directory of them.

    A document's name is the path of its file below the directory.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise StoreError(f"There is no {path}.")
        self._path = path

    def count(self) -> int:
        return len(self._files())

    def __iter__(self) -> Iterator[ForeignDocument]:
        directory = self._path if self._path.is_dir() else self._path.parent
        for file in self._files():
            yield ForeignDocument(file.relative_to(directory).as_posix(), partial(_ypy_file, file))

    def _files(self) -> list[Path]:
        if not self._path.is_dir():
            return [self._path]
        return sorted(file for file in self._path.rglob("*") if file.is_file())


class JsonLines:
    """Updates in JSON lines. They are read in the order of the file, those of one name together."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, list[int]] | None = None

    def count(self) -> int:
        return len(self._index())

    def __iter__(self) -> Iterator[ForeignDocument]:
        for name, places in self._index().items():
            yield ForeignDocument(name, partial(self._read, places))

    def _index(self) -> dict[str, list[int]]:
        """The places of the lines of each name; the lines themselves may be more than memory holds."""
        if self._places is None:
            self._places = {}
            with _reading(self._path) as file:
                place = 0
                for number, line in enumerate(file, 1):
                    if line.strip():
                        self._places.setdefault(_name_in(line, number), []).append(place)
                    place += len(line)
        return self._places

    def _read(self, places: list[int]) -> Iterator[bytes]:
        with _reading(self._path) as file:
            for place in places:
                file.seek(place)
                try:
                    yield base64.b64decode(json.loads(file.readline())["update"], validate=True)
                except (KeyError, TypeError, binascii.Error) as error:
                    raise UnreadableError('Its "update" is no base64.') from error


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}.") from error


def _name_in(line: bytes, number: int) -> str:
    try:
        name = json.loads(line)["name"]
    except (ValueError, KeyError, TypeError):
        name = None
    if not isinstance(name, str):
        raise StoreError(f'Line {number} is not {{"name": …, "update": …}}.')
    return name


@contextmanager
def _sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that can't write, and makes no file where there is none."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            yield database
    except sqlite3.Error as error:
        raise StoreError(f"{path} can't be read: {error}.") from error


@contextmanager
def _postgres(url: str) -> Iterator[psycopg.Connection]:
    """A connection that can't write. What the database says may name its host, never the password."""
    try:
        with psycopg.connect(url) as connection:
            connection.read_only = True
            yield connection
    except psycopg.Error as error:
        raise StoreError(f"The database can't be read: {first_line(error)}") from error


def _single(data: object) -> list[bytes]:
    return [_bytes(data)]


def _bytes(data: object) -> bytes:
    if not isinstance(data, bytes | memoryview):
        raise UnreadableError("Its data are no bytes.")
    return bytes(data)


def _has_checkpoints(database: sqlite3.Connection) -> bool:
    found = database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'ycheckpoints'")
    return found.fetchone() is not None


def _ypy_updates(database: sqlite3.Connection, path: str, *, has_checkpoints: bool) -> Iterator[bytes]:
    """The checkpoint and every update that is kept: what is there twice is taken in once."""
    queries = ["SELECT checkpoint FROM ycheckpoints WHERE path = ?"] if has_checkpoints else []
    queries.append("SELECT yupdate FROM yupdates WHERE path = ? ORDER BY timestamp, rowid")
    try:
        for query in queries:
            for (data,) in database.execute(query, (path,)):
                yield _bytes(data)
    except sqlite3.Error as error:
        raise UnreadableError(f"Its rows can't be read: {error}.") from error


def _ypy_file(file: Path) -> list[bytes]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UnreadableError(f"The file can't be read: {error.strerror}.") from error
    header, _, entries = data.partition(b"\n")
    if header != _YPY_HEADER + str(_YPY_VERSION).encode():
        raise UnreadableError(f"The file does not begin with VERSION:{_YPY_VERSION}.")
    updates, pos = [], 0
    try:
        while pos < len(entries):
            update, pos = read_var_bytes(entries, pos)
            _, pos = read_var_bytes(entries, pos)
            _, pos = read_var_bytes(entries, pos)
            updates.append(update)
    except MalformedError as error:
        raise UnreadableError(f"The file ends in the middle of an entry: {error}") from error
    return updates
