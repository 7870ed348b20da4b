"""Tasks for the sandbox that do what document code may do at its worst. Run in a worker only."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from pathlib import Path

import pycrdt


def hang(argument: bytes) -> bytes:
    """Wait for ever; `argument` names a file that shows it has begun."""
    if argument:
        Path(argument.decode()).touch()
    while True:
        time.sleep(60)


def spin(argument: bytes) -> bytes:
    """Take CPU time for ever."""
    while True:
        pass


def eat(argument: bytes) -> bytes:
    """Take 4 GiB of memory, page by page."""
    return b"".join(bytes(1 << 20) for _ in range(4096))


def kill(argument: bytes) -> bytes:
    """Die without a word."""
    os.kill(os.getpid(), signal.SIGKILL)
    return argument


def panic(argument: bytes) -> bytes:
    """Raise what is no `Exception`."""
    raise KeyboardInterrupt(argument.decode())


def pid(argument: bytes) -> bytes:
    return str(os.getpid()).encode()


def limits(argument: bytes) -> bytes:
    """The soft limits of memory, core dumps and CPU time, and the CPU time taken so far."""
    names = (resource.RLIMIT_AS, resource.RLIMIT_CORE, resource.RLIMIT_CPU)
    return json.dumps([*(resource.getrlimit(name)[0] for name in names), time.process_time()]).encode()


def apply_sequence(argument: bytes) -> bytes:
    """Hand a JSON list of updates in hex to one document, one after the other."""
    document: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    for update in json.loads(argument):
        document.apply_update(bytes.fromhex(update))
    return document.get_update()


def read_as_array(argument: bytes) -> bytes:
    """Read the root `t` as an array, whatever it is."""
    document: pycrdt.Doc[pycrdt.Array[object]] = pycrdt.Doc()
    document.apply_update(argument)
    return str(document.get("t", type=pycrdt.Array).to_py()).encode()
