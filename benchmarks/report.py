"""The results as a table for people, and as JSON with every single value."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.generator import find_node
from benchmarks.options import Options
from benchmarks.run import Measurement
from benchmarks.scenarios.base import Column, Scenario
from benchmarks.scenarios.growth import Growth
from benchmarks.servers.catalogue import SERVERS

ROOT = Path(__file__).resolve().parent.parent


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _output("git", "rev-parse", "--short", "HEAD"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "node": _output(find_node(), "--version"),
        "load_average_before": os.getloadavg()[0],
    }


def as_json(about: dict[str, Any], options: Options, measurements: Iterable[Measurement]) -> str:
    """Everything, one object for each measurement."""
    found = [asdict(measurement) for measurement in measurements]
    return json.dumps({"machine": about, "options": asdict(options), "measurements": found}, indent=1)


def as_markdown(
    about: dict[str, Any], options: Options, scenarios: list[Scenario], measurements: list[Measurement]
) -> str:
    """One table for each scenario: the median of the rounds, and the range where there are several."""
    rounds = "one round" if options.rounds == 1 else f"{options.rounds} rounds, median (lowest – highest)"
    lines = [
        "# Benchmark",
        "",
        f"{about['at']}, commit {about['commit']}, {about['processor']}, {about['cores']} cores, "
        f"{about['system']}, Python {about['python']}, Node {about['node']}. {rounds.capitalize()}"
        + (", quick: sizes are small, numbers rough." if options.is_quick else "."),
    ]
    for scenario in scenarios:
        own = [each for each in measurements if each.scenario == scenario.name]
        if own:
            lines += ["", f"## {scenario.title}", "", *_table(scenario, own), *_notes(own)]
    return "\n".join(lines) + "\n"


def values_of(measurements: Iterable[Measurement], server: str, key: str) -> list[float]:
    """All rounds' values of one server."""
    found = (each.outcome.values.get(key) for each in measurements if each.server == server)
    return [value for value in found if value is not None]


def _table(scenario: Scenario, measurements: list[Measurement]) -> list[str]:
    if isinstance(scenario, Growth):
        return _growth_table(scenario, measurements)
    lines = [
        "| | " + " | ".join(column.heading for column in scenario.columns) + " |",
        "|---|" + "---:|" * len(scenario.columns),
    ]
    for server in _servers_in(measurements):
        cells = [_cell(values_of(measurements, server, c.key), c) for c in scenario.columns]
        lines.append(f"| {SERVERS[server].title} | " + " | ".join(cells) + " |")
    return lines


def _growth_table(scenario: Growth, measurements: list[Measurement]) -> list[str]:
    """Sizes go to the right."""
    lines = [
        "| | " + " | ".join(scenario.shown(size) for size in scenario.sizes) + " |",
        "|---|" + "---:|" * len(scenario.sizes),
    ]
    for server in _servers_in(measurements):
        for key, heading, decimals in scenario.measures:
            cells = [
                _cell(
                    values_of(measurements, server, f"{key}@{size}"),
                    Column(key, heading, decimals),
                )
                for size in scenario.sizes
            ]
            lines.append(f"| {SERVERS[server].title}: {heading} | " + " | ".join(cells) + " |")
    return lines


def _cell(values: list[float], column: Column) -> str:
    if not values:
        return "–"
    shown = [f"{value:,.{column.decimals}f}" for value in (median(values), min(values), max(values))]
    return shown[0] if len(set(shown)) == 1 else f"{shown[0]} ({shown[1]} – {shown[2]})"


def _notes(measurements: list[Measurement]) -> list[str]:
    """What was wrong, once for each server with the rounds it happened in."""
    notes: dict[tuple[str, str], list[int]] = {}
    for each in measurements:
        for problem in each.outcome.problems:
            notes.setdefault((each.server, problem), []).append(each.round + 1)
    lines = []
    for (server, problem), rounds in notes.items():
        where = f"round {', '.join(map(str, rounds))}"
        lines.append(f"- {SERVERS[server].title}, {where}: {' '.join(problem.split())}")
    return ["", *lines] if lines else []


def _servers_in(measurements: list[Measurement]) -> list[str]:
    present = {each.server for each in measurements}
    return [name for name in SERVERS if name in present]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
