"""The sandbox: whatever document code does in it, the caller gets one clean error and the next task works."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from collab import sandbox as sandbox_module
from collab.engine.errors import CompactionBusyError, CompactionError
from collab.sandbox import Sandbox
from tests.engine.builders import client, document_of, text, typed, update
from tests.engine.test_gate import hostile_bytes
from tests.support import sandbox_tasks
from tests.support.server import environment

HELLO = typed(7, "hello")
HOSTILE: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "hostile_updates.json").read_text()
)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(deadline_s=2.0)
    yield sandbox
    await sandbox.close()


async def pid_of(sandbox: Sandbox) -> int:
    return int(await sandbox.run(sandbox_tasks.pid, b""))


async def is_gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        await asyncio.sleep(0.01)
    return False


async def test_document_with_garbage_comes_back_without_it(sandbox: Sandbox) -> None:
    raw = update(client(7, 0, text("hello")), deletes={7: [(0, 5)]})
    assert await sandbox.collect(raw) == update(client(7, 0, b"\x01\x01\x01t\x05"), deletes={7: [(0, 5)]})


async def test_worker_is_kept_for_the_next_task(sandbox: Sandbox) -> None:
    assert await pid_of(sandbox) == await pid_of(sandbox)


WITHOUT_LIMITS = """
import asyncio, sys
sys.modules["resource"] = None
import backend.asgi
from collab.engine.errors import CompactionError
from collab.sandbox import NO_LIMITS, Sandbox
try:
    asyncio.run(Sandbox().collect(bytes(2)))
except CompactionError as error:
    assert str(error) == NO_LIMITS
    print("refused")
"""


def test_system_without_limits_of_a_process_runs_no_document_code_and_serves_all_the_same() -> None:
    command = [sys.executable, "-c", WITHOUT_LIMITS]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert done.stdout == "refused\n", done.stderr


async def test_worker_is_limited_in_memory_and_for_each_task_in_cpu_time(sandbox: Sandbox) -> None:
    memory, core, cpu, used = json.loads(await sandbox.run(sandbox_tasks.limits, b""))
    assert (memory, core) == (sandbox_module.MEMORY_BYTES, 0)
    assert used < cpu <= used + 5


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (sandbox_tasks.kill, "exit code -9"),
        (sandbox_tasks.panic, "It can't be collected: KeyboardInterrupt."),
        (sandbox_tasks.eat, "It can't be collected: MemoryError."),
    ],
)
async def test_task_that_fails_is_one_error_and_the_next_one_works(
    sandbox: Sandbox, task: Callable[[bytes], bytes], message: str
) -> None:
    with pytest.raises(CompactionError, match=message):
        await sandbox.run(task, b"secret")
    assert await sandbox.collect(HELLO) == HELLO


@pytest.mark.parametrize("task", [sandbox_tasks.hang, sandbox_tasks.spin])
async def test_task_beyond_the_deadline_is_ended_with_its_worker(task: Callable[[bytes], bytes]) -> None:
    sandbox = Sandbox(deadline_s=0.2)
    pid = await pid_of(sandbox)
    with pytest.raises(CompactionError, match="longer than"):
        await sandbox.run(task, b"")
    assert await is_gone(pid)
    assert await sandbox.collect(HELLO) == HELLO
    await sandbox.close()


async def test_error_does_not_tell_what_the_document_holds(sandbox: Sandbox) -> None:
    with pytest.raises(CompactionError) as caught:
        await sandbox.run(sandbox_tasks.panic, b"secret")
    assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r}"


async def hanging(sandbox: Sandbox, flag: Path) -> asyncio.Task[bytes]:
    """A task that has begun and never ends; `flag` is a file that is made then."""
    working = asyncio.create_task(sandbox.run(sandbox_tasks.hang, bytes(flag)))
    while not flag.exists():  # noqa: ASYNC110, ASYNC240  # another process makes it
        await asyncio.sleep(0.01)
    return working


async def test_worker_that_is_killed_while_it_works_is_replaced(sandbox: Sandbox, tmp_path: Path) -> None:
    pid = await pid_of(sandbox)
    working = await hanging(sandbox, tmp_path / "begun")
    next_one = asyncio.create_task(sandbox.collect(HELLO))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(CompactionError, match="exit code -9"):
        await working
    assert await next_one == HELLO


async def test_worker_that_is_killed_while_it_has_nothing_to_do_is_replaced(sandbox: Sandbox) -> None:
    pid = await pid_of(sandbox)
    os.kill(pid, signal.SIGKILL)
    answers: list[bytes] = []
    while not answers:
        with suppress(CompactionBusyError):  # nobody has noticed yet
            answers.append(await sandbox.collect(HELLO))
    assert answers == [HELLO]


async def test_task_whose_caller_is_cancelled_is_ended(sandbox: Sandbox, tmp_path: Path) -> None:
    pid = await pid_of(sandbox)
    working = await hanging(sandbox, tmp_path / "begun")
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert await is_gone(pid)
    assert await sandbox.collect(HELLO) == HELLO


async def test_tasks_beyond_the_bound_are_told_not_now(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_module, "MAX_WAITING", 2)
    answers = await asyncio.gather(*(sandbox.collect(HELLO) for _ in range(4)), return_exceptions=True)
    assert answers[:2] == [HELLO, HELLO]
    assert [type(answer) for answer in answers[2:]] == [CompactionBusyError] * 2
    assert await sandbox.collect(HELLO) == HELLO


async def test_bytes_beyond_the_bound_are_told_not_now(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_module, "MAX_WAITING_BYTES", len(HELLO))
    answers = await asyncio.gather(*(sandbox.collect(HELLO) for _ in range(2)), return_exceptions=True)
    assert answers[0] == HELLO
    assert isinstance(answers[1], CompactionBusyError)


async def test_close_gives_up_what_runs_and_what_waits(tmp_path: Path) -> None:
    sandbox = Sandbox()
    pid = await pid_of(sandbox)
    tasks = [await hanging(sandbox, tmp_path / "begun")]
    tasks += [asyncio.create_task(sandbox.collect(HELLO)) for _ in range(2)]
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await sandbox.close()
    for answer in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(answer, CompactionError)
    assert await is_gone(pid)
    with pytest.raises(CompactionError, match="closed"):
        await sandbox.collect(HELLO)


async def test_close_of_a_sandbox_that_was_not_used_starts_nothing() -> None:
    await Sandbox().close()


async def test_hostile_updates_hurt_nobody_but_their_worker(sandbox: Sandbox) -> None:
    """Also those that the gate refuses, and every sequence as it is and joined."""
    for item in HOSTILE["raw"]:
        with pytest.raises(CompactionError):
            await sandbox.collect(hostile_bytes(item))
    for item in HOSTILE["gated"]:
        sequence = item["sequence"]
        await asyncio.gather(
            sandbox.run(sandbox_tasks.apply_sequence, json.dumps(sequence).encode()),
            sandbox.collect(document_of(*map(bytes.fromhex, sequence)).encode()),
            return_exceptions=True,
        )
        assert await sandbox.collect(HELLO) == HELLO


async def test_hostile_sequence_that_crashes_the_library_is_the_end_of_the_worker(sandbox: Sandbox) -> None:
    crashing = [item for item in HOSTILE["gated"] if item["hurts"].get("pycrdt.Doc.apply_update")]
    assert crashing
    for item in crashing:
        with pytest.raises(CompactionError, match="exit code -11"):
            await sandbox.run(sandbox_tasks.apply_sequence, json.dumps(item["sequence"]).encode())
    assert await sandbox.collect(HELLO) == HELLO


async def test_hostile_update_that_never_ends_is_ended() -> None:
    [item] = [item for item in HOSTILE["gated"] if "to_py" in str(item["hurts"])]
    sandbox = Sandbox(deadline_s=0.3)
    with pytest.raises(CompactionError):
        await sandbox.run(sandbox_tasks.read_as_array, bytes.fromhex(item["sequence"][0]))
    assert await sandbox.collect(HELLO) == HELLO
    await sandbox.close()
