"""`make bench`, or `python -m benchmarks --quick`: Gatehouse and its peers, a table at the end.

Results are in `benchmarks/results/`: `latest.md`, `latest.json`, `latest.svg`.
"""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path

from benchmarks.chart import draw
from benchmarks.generator import find_node
from benchmarks.options import parse
from benchmarks.report import as_json, as_markdown, machine
from benchmarks.run import Measurement, chosen_scenarios, install, run
from tests.support.missing import MissingError

RESULTS = Path(__file__).parent / "results"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    options = parse()
    if not sys.platform.startswith("linux"):
        say("The benchmark reads what processes use from /proc, so it needs Linux.")
        return 2
    try:
        find_node()
    except MissingError as error:
        say(f"It could not run: {error}")
        return 2
    _raise_file_limit()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers are stopped whatever ends it
    about = machine()
    ready = install(options, say)
    measurements: list[Measurement] = []
    try:
        for measurement in run(options, ready, say):
            measurements.append(measurement)  # noqa: PERF402  # kept when interrupted
    except KeyboardInterrupt:
        say("\nInterrupted; this is what there is.")
    scenarios = chosen_scenarios(options)
    RESULTS.mkdir(exist_ok=True)
    table = as_markdown(about, options, scenarios, measurements)
    (RESULTS / "latest.md").write_text(table)
    (RESULTS / "latest.json").write_text(as_json(about, options, measurements))
    (RESULTS / "latest.svg").write_text(draw(scenarios, measurements))
    say(f"\n{table}\nWritten to {RESULTS}/latest.md, .json and .svg")
    return 0


def _raise_file_limit() -> None:
    """Ten thousand sockets on each side."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
