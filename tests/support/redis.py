"""A private Redis without persistence, which tests stop, kill and start again."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.support.missing import MissingError
from tests.support.processes import free_port, spawn, stop, temporary_directory, wait_ready


def find_redis() -> str:
    """The path of `redis-server`.

    Raises:
        MissingError: there is none.
    """
    found = shutil.which("redis-server")
    if not found:
        raise MissingError("Redis is not installed (Debian: apt-get install redis-server)")
    return found


class RedisServer:
    """One server on one port; it comes back empty after each stop."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.log = directory / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """A `REDIS_URL`."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"--bind 127.0.0.1 --port {self.port} --appendonly no --dir {self.log.parent}"
        self._process = spawn([find_redis(), *options.split(), "--save", ""], self.log)
        wait_ready(self._answers, self._process, self.log, timeout_s=15)

    def stop(self) -> None:
        """End it as an operator would; its clients see closed connections."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop it where it stands: connections stay open, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after a pause."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _end(self, signal_number: int) -> None:
        if self._process is not None:
            self.resume()  # while it is stopped it hears no other signal than SIGKILL
            stop(self._process, signal_number)
            self._process = None

    def _answers(self) -> bool:
        with Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except RedisConnectionError:
                return False


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """A new, empty, running server.

    Raises:
        MissingError: Redis is not installed.
    """
    find_redis()
    with temporary_directory("redis") as directory:
        server = RedisServer(directory)
        server.start()
        try:
            yield server
        finally:
            server.stop()
