"""The peers, at the versions of the lock files in `peers/`, installed outside of the tree."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from benchmarks.generator import find_node
from benchmarks.servers.base import START_TIMEOUT_S, Door, Plan, Server, listens
from tests.support.missing import MissingError
from tests.support.processes import spawn, stop, wait_ready

_PEERS = Path(__file__).resolve().parent.parent / "peers"


class Peer(Server):
    """A server of `peers/<name>/`, started with `PORT` in its environment."""

    #: Beside those of the directory, what the program is given.
    variables: ClassVar[dict[str, str]] = {}
    _installed: ClassVar[Path]

    def start(self, plan: Plan) -> None:
        log = self.directory / f"{self.name}.log"
        env = {"PATH": os.environ["PATH"], "PORT": str(self.port), **self.variables}
        env["DATABASE"] = str(self.directory / "documents.sqlite3")
        self._process = spawn(self._command(), log, env=env, cwd=self._installed)
        wait_ready(lambda: listens(self.port), self._process, log, timeout_s=START_TIMEOUT_S)

    def stop(self) -> None:
        stop(self._process)

    @property
    def pids(self) -> tuple[int, ...]:
        return (self._process.pid,)

    def door(self, room: int, client: int = 0) -> Door:
        return Door(room, f"/room-{room}")

    def _command(self) -> list[str]:
        raise NotImplementedError


class NodePeer(Peer):
    """A package of npm."""

    program = "server.mjs"

    @classmethod
    def install(cls, cache: Path) -> None:
        sources = [path for path in (_PEERS / cls.name).iterdir() if path.is_file()]
        npm = shutil.which("npm")
        if npm is None:
            raise MissingError("npm is not installed (Debian: apt-get install npm)")
        cls._installed = _install(cls.name, sources, cache, lambda place: _run([npm, "ci"], place))

    def _command(self) -> list[str]:
        return [find_node(), self.program]


class PythonPeer(Peer):
    """A package of PyPI, in a virtual environment of its own."""

    @classmethod
    def install(cls, cache: Path) -> None:
        sources = [path for path in (_PEERS / cls.name).iterdir() if path.suffix in {".py", ".txt"}]

        def fill(place: Path) -> None:
            _run([sys.executable, "-m", "venv", "venv"], place)
            pip = ["venv/bin/python", "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
            _run([*pip, "--require-hashes", "-r", "requirements.txt"], place)

        cls._installed = _install(cls.name, sources, cache, fill)

    def _command(self) -> list[str]:
        return [str(self._installed / "venv/bin/python"), "server.py"]


class YWebsocket(NodePeer):
    name, title = "y-websocket", "y-websocket 1.5.4"
    program = "node_modules/y-websocket/bin/server.js"
    variables: ClassVar = {"HOST": "127.0.0.1"}


class Hocuspocus(NodePeer):
    name, title, dialect = "hocuspocus", "Hocuspocus 4.7", "hocuspocus"

    def door(self, room: int, client: int = 0) -> Door:
        return Door(room, "/", document=f"room-{room}", token="anyone")


class HocuspocusSQLite(Hocuspocus):
    name, title = "hocuspocus-sqlite", "Hocuspocus 4.7, SQLite"


class PycrdtWebsocket(PythonPeer):
    name, title = "pycrdt-websocket", "pycrdt-websocket 0.16.5"


class YpyWebsocket(PythonPeer):
    name, title = "ypy-websocket", "ypy-websocket 0.12.4 on Channels"

    @classmethod
    def install(cls, cache: Path) -> None:
        if sys.version_info >= (3, 13):
            raise MissingError("y-py, which ypy-websocket needs, has no wheel for Python 3.13 and newer")
        super().install(cache)


class Uvicorn(Peer):
    """Not one that is compared: Gatehouse's own foundation, with nothing on it."""

    name, title = "uvicorn", "uvicorn alone"

    @classmethod
    def install(cls, cache: Path) -> None:
        cls._installed = _PEERS / cls.name

    def _command(self) -> list[str]:
        return [sys.executable, "server.py"]


def _install(name: str, sources: list[Path], cache: Path, fill: Callable[[Path], None]) -> Path:
    """Copy the sources into the cache and fill up the place, once for each state of the sources.

    And once for each Python: the peers get the one that Gatehouse runs with, since builds differ by a fifth.
    """
    python = f"{sys.base_prefix} {sys.version}".encode()
    digest = hashlib.sha256(python + b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()[:12]
    place = cache / f"{name}-{digest}"
    done = place / ".installed"
    if not done.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for path in sources:
            shutil.copy(path, place)
        fill(place)
        done.touch()
    return place


def _run(command: list[str], place: Path) -> None:
    done = subprocess.run(
        command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise MissingError(f"`{' '.join(command)}` failed in {place}: {done.stdout.strip()[-600:]}")
