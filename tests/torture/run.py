"""One torture from beginning to end: break, be quiet, look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from collab.engine.gate import parse_state_vector
from tests.torture.faults import Faults
from tests.torture.memory import Memory
from tests.torture.options import MIB, Options
from tests.torture.report import Report
from tests.torture.scene import Scene, made_scene
from tests.torture.store import Holding, compare

WARM_UP_S = 2.0
PROGRESS_S = 5.0
#: How long clients may take to be level once nothing breaks any more: reconnects and the healing timer.
LEVEL_S = 20.0

Say = Callable[[str], None]


async def torture(options: Options, say: Say) -> Report:
    """Do everything that `tests.torture` promises, and tell how it went.

    Raises:
        MissingError: PostgreSQL, Redis or Node is missing.
    """
    report = Report(options)
    with made_scene(options) as scene:
        await scene.start()
        memory = Memory(scene.servers)
        faults = Faults(scene, memory)
        watching = [asyncio.create_task(memory.watch()), asyncio.create_task(_tell(scene, faults, say))]
        try:
            await asyncio.sleep(WARM_UP_S)
            await faults.run(options.seconds)
            await _wait_warm(memory, options)
        finally:
            for task in watching:
                task.cancel()
        report.growth_bytes, report.worst_bytes = memory.growth_bytes, memory.worst_bytes
        await faults.end_all()
        report.rounds = dict(faults.rounds)
        await _look(scene, report, say)
        _judge(report)
        if report.violations:
            say(f"The logs are kept in {scene.keep_logs()}")
    return report


async def _tell(scene: Scene, faults: Faults, say: Say) -> None:
    started_at = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS_S)
        status = await scene.call("writersStatus")
        broken = sum(count for name, count in faults.rounds.items() if "clients" not in name)
        say(
            f"{time.monotonic() - started_at:5.0f} s  {broken} faults  {status['written']} written  "
            f"{status['acknowledged']} acknowledged  {status['connected']} of {status['living']} connected"
        )


async def _wait_warm(memory: Memory, options: Options) -> None:
    """A short run ends before any process is warm: then wait until one is."""
    while not memory.worst_bytes[0] and options.growth_mib:  # noqa: ASYNC110  # samples come by a timer
        await asyncio.sleep(0.2)


async def _look(scene: Scene, report: Report, say: Say) -> None:
    """Stop writing, let it settle, and compare what was promised with what is there."""
    await scene.call("writersStop")
    quiet_at = time.monotonic()
    say("quiet: waiting for all clients to be level")
    report.rooms_apart = await scene.call("writersWaitLevel", timeout_s=LEVEL_S)
    report.level_after_s = time.monotonic() - quiet_at
    result = await scene.call("writersResult")
    say("reading the store")
    stored = await asyncio.to_thread(compare, result["acknowledged"], scene.database_url)
    report.lost = sum(len(holding.missing) for holding in stored.values())
    for room, holding in stored.items():
        report.violations += [f"acknowledged and lost in room {room}: {update}" for update in holding.missing]
    open_ones = await asyncio.to_thread(compare, result["unacknowledged"], scene.database_url)
    report.unacknowledged = sum(map(len, result["unacknowledged"].values()))
    unsaved = sum(len(holding.missing) for holding in open_ones.values())
    report.unacknowledged_saved = report.unacknowledged - unsaved
    report.took_ms, report.closes = result["tookMs"], result["closes"]
    report.written = len(report.took_ms) + report.unacknowledged
    report.violations += [f"{name} gave up, closed with {code}" for name, code in result["gaveUp"].items()]
    await scene.add_fresh_readers()
    apart = await scene.call("writersWaitLevel", timeout_s=LEVEL_S)
    report.rooms_apart |= apart
    for room, findings in (await scene.call("writersFindings")).items():
        _compare_newcomer(report, room, findings, stored[room])
    _read_logs(scene, report)


def _compare_newcomer(report: Report, room: str, findings: dict[str, Any], holding: Holding) -> None:
    """Who never saw the room before has what the store has, and all that was promised to anybody."""
    report.rooms_waiting += findings["isWaiting"]
    report.unknown += len(findings["unknown"])
    report.violations += [f"acknowledged and kept from newcomers in {room}: {u}" for u in findings["unknown"]]
    report.violations += [f"room {room}: {wrong}" for wrong in findings["wrongs"]]
    clocks = parse_state_vector(bytes.fromhex(findings["vector"]))
    if clocks != holding.clocks:
        report.violations.append(f"room {room}: the store has {holding.clocks}, a newcomer has {clocks}")


def _read_logs(scene: Scene, report: Report) -> None:
    for server in scene.servers:
        if server.is_running():
            server.terminate()
        try:
            server.check_log()
        except AssertionError as error:
            report.violations.append(f"in the log of {server.url}: {error}")


def _judge(report: Report) -> None:
    for room, clients in report.rooms_apart.items():
        report.violations.append("\n  ".join([f"room {room}: its clients are not equal", *clients]))
    if report.growth_bytes > report.options.growth_mib * MIB:
        report.violations.append(f"a process grew by {report.growth_bytes / MIB:.0f} MiB")
    if not report.took_ms:
        report.violations.append("nothing was acknowledged, so nothing was shown")
