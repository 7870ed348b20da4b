"""The Node process that hosts the real clients (`clients.mjs`), and one Python object for each client.

Answers are read in a thread and handed to whichever event loop asked, so that one process serves
all tests. Every wait ends by an event or by `WAIT_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.missing import MissingError
from tests.support.processes import stop

TESTS = Path(__file__).resolve().parent.parent
WAIT_S = 10.0
OLDEST_NODE = 18

Edit = tuple[Any, ...]
Json = Any


class ClientError(AssertionError):
    """A client could not do what it was told, or what it waited for did not come."""


def find_node() -> str:
    """The path of `node`, with the clients' packages installed.

    Raises:
        MissingError: Node is missing or too old, or the packages are not installed.
    """
    found = shutil.which("node")
    if not found:
        raise MissingError("Node is not installed (Debian: apt-get install nodejs npm)")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    major = int(re.findall(r"\d+", version)[0])
    if major < OLDEST_NODE:
        raise MissingError(f"Node {major} is too old: {OLDEST_NODE} or newer is needed")
    if not (TESTS / "node_modules" / "y-websocket").is_dir():
        raise MissingError("the Node packages are not installed (npm ci in tests/)")
    return found


class Node:
    """Commands to the process; `provider()` and `raw()` make clients."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._ids = itertools.count(1)
        self._names = itertools.count(1)
        self._waiting: dict[int, Future[Json]] = {}
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="node-answers", daemon=True)
        self._reader.start()

    async def call(self, command: str, *, timeout_s: float = WAIT_S, **arguments: Json) -> Json:
        """Run one command of `clients.mjs`.

        Raises:
            ClientError: it failed, or what it waits for did not happen within `timeout_s`.
        """
        return await asyncio.wait_for(
            asyncio.wrap_future(self._send(command, timeout_s, arguments)), timeout_s + 10
        )

    def _send(self, command: str, timeout_s: float, arguments: dict[str, Json]) -> Future[Json]:
        future: Future[Json] = Future()
        with self._lock:
            number = next(self._ids)
            self._waiting[number] = future
            line = {"id": number, "command": command, "timeoutMs": int(timeout_s * 1000), **arguments}
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()
        return future

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            reply = json.loads(line)
            future = self._waiting.pop(reply["id"])
            if not future.set_running_or_notify_cancel():
                continue
            if "error" in reply:
                future.set_exception(ClientError(reply["error"]))
            else:
                future.set_result(reply["result"])
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(ClientError("the Node process ended"))

    def reset(self) -> None:
        """Take every client away, between two tests."""
        self._send("reset", WAIT_S, {}).result(WAIT_S)

    def close(self) -> None:
        """End the process, as the end of its input does, and the thread that reads it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        stop(self._process)
        self._reader.join()
        self._process.stdout.close()

    def new_name(self) -> str:
        return f"client {next(self._names)}"

    async def make_update(
        self, edits: list[Edit], *, base: str | None = None, client: int | None = None
    ) -> Json:
        """Hand-made Yjs bytes, hex: `update` (the edits alone), `state` (all), `before` and `vector`."""
        return await self.call("makeUpdate", edits=edits, base=base, client=client)

    async def authors_of(self, update: str) -> list[int]:
        """The client ids whose content is in this update (hex)."""
        return list(await self.call("authorsOf", update=update))

    async def read_updates(self, updates: list[str], shape: dict[str, str] | None = None) -> Json:
        """What a fresh document holds after these updates: `content`, `pending`, `vector`."""
        arguments: dict[str, Json] = {"updates": updates} | ({"shape": shape} if shape else {})
        return await self.call("readUpdates", **arguments)


@contextmanager
def running_node() -> Iterator[Node]:
    """One process for many clients.

    Raises:
        MissingError: Node or its packages are missing.
    """
    command = [find_node(), str(TESTS / "support" / "clients.mjs")]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    node = Node(process)
    try:
        yield node
    finally:
        node.close()
