"""Programs of their own for tests: a free port, a directory that is thrown away, a stop that ends."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STOP_TIMEOUT_S = 20.0
POLL_INTERVAL_S = 0.02


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def temporary_directory(name: str, *, owner: str | None = None) -> Iterator[Path]:
    """A short path (Unix sockets live in it), readable by its owner alone."""
    path = Path(tempfile.mkdtemp(prefix=f"gatehouse-{name}-"))
    try:
        if owner:
            shutil.chown(path, user=owner)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def wait_ready(
    is_ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, *, timeout_s: float
) -> None:
    """Ask again until the program answers.

    Raises:
        RuntimeError: it ended or stayed silent; the end of its log is in the message.
    """
    deadline = time.monotonic() + timeout_s
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            state = f"ended with {process.returncode}" if process.returncode is not None else "is silent"
            raise RuntimeError(f"{process.args!r} {state}:\n{log.read_text()[-4000:]}")
        time.sleep(POLL_INTERVAL_S)


def stop(process: subprocess.Popen[Any], signal_number: int = signal.SIGTERM) -> int:
    """Ask the program to end, wait for it, and kill it if it does not; its exit status."""
    if process.poll() is None:
        process.send_signal(signal_number)
    try:
        return process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def spawn(
    command: list[str],
    log: Path,
    *,
    env: dict[str, str] | None = None,
    user: str | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program whose output is appended to `log`, as `user` where root may not run it."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd=cwd or log.parent,
        )
