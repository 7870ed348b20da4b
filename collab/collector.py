"""What runs inside the sandbox: document code on bytes of clients, in a process that may die of it.

Imports no Django, so that a worker starts fast. Whatever goes wrong short of the worker's death comes
out as one kind of error, and says nothing of what a document holds.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

import pycrdt

from collab.engine.pairs import cuts_a_pair
from collab.engine.values import with_values_of

try:
    import resource
except ImportError:  # Windows
    CAN_LIMIT = False
else:
    CAN_LIMIT = True


class CollectionError(Exception):
    """A document was not collected; the message says why, and can be sent between processes."""


def limit_worker(memory_bytes: int) -> None:
    """Bound the memory of this process for good; no core dump, and dead at the first signal.

    Only where `CAN_LIMIT`.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def run(task: Callable[[bytes], bytes], argument: bytes, cpu_s: int) -> bytes:
    """Do one task, with so much CPU time from now on; beyond, the process dies.

    Raises:
        CollectionError: whatever the task raised, panics of the CRDT library included.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + cpu_s, hard))
    try:
        return task(argument)
    except CollectionError:
        raise
    except BaseException as error:  # noqa: BLE001  # a panic is no Exception
        raise CollectionError(f"It can't be collected: {type(error).__name__}.") from None


def collect(update: bytes) -> bytes:
    """A whole document, which passed the gate, encoded again without what was deleted in it.

    Its values are the bytes that came.

    Raises:
        CollectionError: the library is known to lose content of such a document.
    """
    if cuts_a_pair(update):
        raise CollectionError("It holds a character that was cut in two.")
    document: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    document.apply_update(update)
    return with_values_of(update, document.get_update())
