"""A real server process, `manage.py serve`, as an operator starts it; its log is read at the end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.support.processes import POLL_INTERVAL_S, free_port, spawn, stop, wait_ready

ROOT = Path(__file__).resolve().parent.parent.parent
START_TIMEOUT_S = 30.0
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
_TOKEN = re.compile(r"\beyJ[\w-]{10,}")


def environment(**variables: str) -> dict[str, str]:
    """The environment of a server: only what is given, nothing of the developer's own."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    defaults = {
        "DEBUG": "1",
        "SECRET_KEY": "the servers of the tests sign with this one key 0123456789",
        "DATABASE_URL": "sqlite://:memory:",
        "REDIS_URL": "",
        "ALLOWED_ORIGINS": "",
        "PYTHONUNBUFFERED": "1",
    }
    return {**passed_on, **defaults, **variables}


def manage(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one administrative command to its end; output and errors in `stdout`."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def migrate(database_url: str) -> None:
    """Bring a database to the newest schema."""
    done = manage("migrate", "--verbosity", "0", env=environment(DATABASE_URL=database_url))
    if done.returncode:
        raise RuntimeError(f"migrate failed:\n{done.stdout}")


class Server:
    """One process on one port; the port and the log file stay over a restart."""

    def __init__(self, directory: Path, *arguments: str, **variables: str) -> None:
        self.port = free_port()
        self.log = directory / f"server-{self.port}.log"
        #: Passwords and tickets that must never be logged, beside everything that looks like a token.
        self.secrets: set[str] = set()
        self._arguments = arguments
        self._env = environment(**variables)
        self._process: subprocess.Popen[bytes] | None = None
        self._checked_bytes = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        """What a `WebsocketProvider` is given; the room's id follows."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def collaboration_url(self) -> str:
        """What a `HocuspocusProvider` is given."""
        return f"ws://127.0.0.1:{self.port}/collaboration"

    def start(self) -> None:
        """Start it and wait until it is healthy."""
        command = [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", str(self.port)]
        self._process = spawn([*command, *self._arguments], self.log, env=self._env, cwd=ROOT)
        wait_ready(self.is_healthy, self._process, self.log, timeout_s=START_TIMEOUT_S)

    def terminate(self) -> int:
        """SIGTERM, and wait for the end; its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: nothing can be saved any more."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.terminate()
        self.start()

    @property
    def pid(self) -> int:
        """The id of the process, while it runs."""
        assert self._process is not None
        return self._process.pid

    def is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def run_command(self, *arguments: str) -> None:
        """An administrative command on this server's database and layer, in a process of its own."""
        done = manage(*arguments, env=self._env)
        assert done.returncode == 0, done.stdout

    async def wait_logged(self, words: str, *, since: int = 0, timeout_s: float = 10.0) -> str:
        """The first line of the log, from byte `since` on, that has these words.

        Raises:
            TimeoutError: there is none within `timeout_s`.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                lines = self.log.read_bytes()[since:].decode(errors="replace").splitlines()
                if found := next((line for line in lines if words in line), None):
                    return found
                await asyncio.sleep(POLL_INTERVAL_S)

    def check_log(self) -> None:
        """Fail for a traceback, a token or a known secret among the lines since the last check."""
        content = self.log.read_bytes() if self.log.exists() else b""
        lines = content[self._checked_bytes :].decode()
        self._checked_bytes = len(content)
        assert "Traceback" not in lines, lines[max(0, lines.index("Traceback") - 1000) :][:6000]
        leaked = _TOKEN.search(lines) or next((secret for secret in self.secrets if secret in lines), None)
        assert not leaked, f"a secret in the log: {lines[-6000:]}"

    def _end(self, signal_number: int) -> int:
        assert self._process is not None
        status = stop(self._process, signal_number)
        self._process = None
        return status
