"""The process that makes the load (Node, without packages): see `load/`."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

from benchmarks.servers.base import Door, Server
from tests.support.missing import MissingError
from tests.support.processes import stop

_PROGRAM = Path(__file__).parent / "load" / "main.mjs"
#: Openings that wait for their answer at the same moment, where a scenario does not say otherwise.
IN_FLIGHT = 32
#: For all of them together, and for each.
OPEN_TIMEOUT_S, OPEN_TIMEOUT_OF_EACH_S = 60.0, 0.1
SEED_TIMEOUT_S = 120.0

Result = dict[str, Any]


class LoadError(RuntimeError):
    """The load could not be made as asked."""


class Load:
    """Commands to the process; each waits for its answer."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.pid = process.pid
        self._input = cast("IO[str]", process.stdin)
        self._output = cast("IO[str]", process.stdout)
        self._numbers = itertools.count(1)

    def call(self, command: str, **options: Any) -> Any:
        """Raises LoadError with the trace of the process if the command failed there."""
        number = next(self._numbers)
        self._input.write(json.dumps({"id": number, "command": command, **options}) + "\n")
        self._input.flush()
        line = self._output.readline()
        if not line:
            raise LoadError("The load process has ended; its error is above.")
        answer = json.loads(line)
        if "error" in answer:
            raise LoadError(answer["error"])
        return answer["result"]

    def crowd(self, server: Server, doors: list[Door]) -> Crowd:
        """Clients, one for each door; not open yet."""
        return Crowd(self, next(self._numbers), server, doors)


class Crowd:
    """Clients that are opened together; see `load/crowd.mjs` for what the answers hold."""

    def __init__(self, load: Load, name: int, server: Server, doors: list[Door]) -> None:
        self._load = load
        self._name = name
        self.server = server
        self.size = len(doors)
        options = {"port": server.port, "dialect": server.dialect, "doors": [asdict(door) for door in doors]}
        load.call("crowd", crowd=name, **options)

    def open(self, *, in_flight: int = IN_FLIGHT) -> Result:
        """Open every client and wait for its first answer.

        Raises:
            LoadError: not all of them got one.
        """
        timeout_s = OPEN_TIMEOUT_S + self.size * OPEN_TIMEOUT_OF_EACH_S
        result = self._call("open", inFlight=in_flight, timeoutMs=timeout_s * 1000)
        if result["opened"] < self.size or result["closes"]:
            raise LoadError(f"{result['opened']} of {self.size} clients could be opened: {result['closes']}")
        return result

    def seed(self, size_bytes: int, *, update_bytes: int = 1_000_000) -> None:
        """The first client writes a document of that size; returns when the second one has it.

        Raises:
            LoadError: it does not get it.
        """
        options = {"bytes": size_bytes, "updateBytes": update_bytes}
        result = self._call("seed", **options, timeoutMs=SEED_TIMEOUT_S * 1000)
        if not result["isLevel"]:
            raise LoadError(
                f"A document of {size_bytes} bytes did not reach a second client {result['closes'] or ''}"
            )

    def join(self, size_bytes: int, *, timeout_s: float) -> Result:
        """Open every client at once and wait until each has the document."""
        return self._call("join", bytes=size_bytes, timeoutMs=timeout_s * 1000)

    def write(self, *, rate: float, seconds: float, **options: Any) -> Result:
        """`rate` updates a second in all, then wait for what is on its way."""
        return self._call("write", rate=rate, seconds=seconds, **options)

    def tell(self, *, rate: float, seconds: float) -> Result:
        """`rate` awareness states a second of every client."""
        return self._call("tell", rate=rate, seconds=seconds)

    def sample(self, client: int) -> Result:
        """What a client was sent since a `write(sample=client)`."""
        return self._call("sample", client=client)

    def closes(self) -> dict[str, int]:
        """Clients that were closed by the other side, by reason."""
        return self._call("closes")

    def close(self) -> None:
        self._call("close")

    def _call(self, command: str, **options: Any) -> Result:
        return cast("Result", self._load.call(command, crowd=self._name, **options))


@contextmanager
def running_load() -> Iterator[Load]:
    """A process that makes the load.

    Raises:
        MissingError: Node is missing.
    """
    process = subprocess.Popen(
        [find_node(), "--max-semi-space-size=64", str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        yield Load(process)
    finally:
        cast("IO[str]", process.stdin).close()
        stop(process)
        cast("IO[str]", process.stdout).close()


def find_node() -> str:
    """The path of Node.

    Raises:
        MissingError: there is none.
    """
    found = shutil.which("node")
    if found is None:
        raise MissingError("Node is not installed (18 or newer; Debian: apt-get install nodejs npm)")
    return found
