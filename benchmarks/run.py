"""One benchmark: every scenario, in rounds, its servers in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generator import LoadError, running_load
from benchmarks.options import Options, cache_directory
from benchmarks.scenarios.base import Outcome, Scenario
from benchmarks.scenarios.catalogue import SCENARIOS
from benchmarks.servers.base import Plan, Server
from benchmarks.servers.catalogue import SERVERS
from tests.support.missing import MissingError
from tests.support.processes import temporary_directory

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one server gave in one round of a scenario."""

    scenario: str
    server: str
    round: int
    outcome: Outcome


def chosen_scenarios(options: Options) -> list[Scenario]:
    """As large as the options want them."""
    found = [SCENARIOS[name] for name in options.scenarios]
    return [scenario.quick() for scenario in found] if options.is_quick else found


def install(options: Options, say: Say) -> dict[str, type[Server]]:
    """The servers that can be run; of each other one it is said why not."""
    wanted = {server.name for scenario in chosen_scenarios(options) for server in scenario.servers}
    ready = {}
    for name in options.servers:
        if name not in wanted:
            continue
        say(f"installing {SERVERS[name].title} …")
        try:
            SERVERS[name].install(cache_directory())
        except MissingError as error:
            say(f"could not run: {SERVERS[name].title}: {error}")
        else:
            ready[name] = SERVERS[name]
    return ready


def run(options: Options, ready: dict[str, type[Server]], say: Say) -> Iterator[Measurement]:
    """Measure, one after the other; the order of the servers is turned each round."""
    scenarios = chosen_scenarios(options)
    plans = [
        (scenario, number, server)
        for scenario in scenarios
        for number in range(options.rounds)
        for server in _turned([each for each in scenario.servers if each.name in ready], number)
    ]
    started_at, last = time.monotonic(), None
    for done, (scenario, number, server) in enumerate(plans):
        if scenario is not last:
            say(f"\n{scenario.title}")
            last = scenario
        began_at = time.monotonic()
        outcome = _measure(scenario, server)
        took_s = time.monotonic() - began_at
        left_s = (time.monotonic() - started_at) / (done + 1) * (len(plans) - done - 1)
        shown = "  ".join(_shown(scenario, outcome)) or "nothing"
        label = f"[{done + 1}/{len(plans)}] {number + 1}. {server.title}"
        say(f"{label}: {shown}  ({took_s:.0f} s, about {left_s / 60:.0f} min left)")
        for problem in outcome.problems:
            say(f"    ! {problem}")
        yield Measurement(scenario.name, server.name, number, outcome)


def _measure(scenario: Scenario, server: type[Server]) -> Outcome:
    @contextmanager
    def launch(plan: Plan) -> Iterator[Server]:
        with temporary_directory("bench") as directory:
            started = server(Path(directory))
            try:
                started.start(plan)
                yield started
            finally:
                started.stop()

    try:
        with running_load() as load:
            return scenario.measure(launch, load)
    except (LoadError, MissingError, RuntimeError) as error:
        return Outcome({}, [f"it failed: {str(error).strip()[-400:]}"])


def _turned(servers: list[type[Server]], number: int) -> list[type[Server]]:
    turn = number % max(1, len(servers))
    return servers[turn:] + servers[:turn]


def _shown(scenario: Scenario, outcome: Outcome) -> Iterator[str]:
    for column in scenario.columns:
        value = outcome.values.get(column.key)
        if value is not None:
            yield f"{column.heading} {value:,.{column.decimals}f};"
