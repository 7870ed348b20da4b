"""`make fuzz SECONDS=600`: every target in turn, guided by coverage where atheris is installed.

New inputs that reach more code, and inputs that break a law, are kept under var/fuzz. A finding becomes a
file of tests/fuzz/corpus, where `make test` runs it from then on. Exit status 1 tells of findings.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

from tests.fuzz.mutations import mutated
from tests.fuzz.rooms import CORPUS, corpus
from tests.fuzz.targets import TARGETS, run

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ROOT / "var" / "fuzz"
PROGRESS_S = 5.0
_STATUS = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+)")
_DONE = re.compile(r"Done (\d+) runs")


@dataclass(slots=True)
class Result:
    target: str
    way: str
    runs: int = 0
    covered: int = 0
    new_inputs: int = 0
    findings: int = 0


def fuzz_guided(target: str, seconds: int, seed: int) -> Iterator[Result]:
    """libFuzzer's own process; what it finds is left beside its inputs."""
    inputs, findings = KEPT / target, KEPT / f"{target}-findings"
    for directory in (inputs, findings):
        directory.mkdir(parents=True, exist_ok=True)
    before = _count(inputs), _count(findings)
    command = [sys.executable, "-m", "tests.fuzz.guided", target, f"-max_total_time={seconds}"]
    command += [f"-seed={seed}", "-max_len=4096", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"]
    command += [f"-artifact_prefix={findings}/", str(inputs), str(CORPUS / target)]
    result = Result(target, "atheris")
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        last: list[str] = []
        for line in process.stderr:
            last = [*last[-40:], line]
            if found := _STATUS.search(line):
                result.runs, result.covered = int(found[1]), int(found[2])
            elif found := _DONE.search(line):
                result.runs = int(found[1])
            yield result
    result.new_inputs = _count(inputs) - before[0]
    result.findings = max(_count(findings) - before[1], int(process.returncode != 0))
    if result.findings:
        sys.stdout.write("\n" + "".join(last))
    yield result


def fuzz_blindly(target: str, seconds: float, seed: int) -> Iterator[Result]:
    """Changed inputs of the corpus, one after the other."""
    result = Result(target, "mutations")
    known, random = corpus(target), Random(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = mutated(random.choice(known), known, random)
        try:
            run(target, data)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what we look for
            findings = KEPT / f"{target}-findings"
            findings.mkdir(parents=True, exist_ok=True)
            (findings / sha256(data).hexdigest()[:12]).write_bytes(data)
            result.findings += 1
            sys.stdout.write(f"\n{target} {data.hex()}: {error!r}\n")
        result.runs += 1
        yield result
    yield result


def _count(directory: Path) -> int:
    return sum(1 for _ in directory.iterdir())


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=120, help="for all targets together (default: 120)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: the time")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; may be repeated")
    parser.add_argument("--blind", action="store_true", help="without atheris")
    options = parser.parse_args()
    is_guided = not options.blind and importlib.util.find_spec("atheris") is not None
    targets = options.target or list(TARGETS)
    seconds = max(1, options.seconds // len(targets))
    way = "by coverage, with atheris" if is_guided else "without coverage: atheris is not installed"
    say(f"seed {options.seed}; {seconds} s for each of {len(targets)} targets; {way}\n")
    results = []
    for target in targets:
        result, told_at = Result(target, ""), time.monotonic()
        fuzz = fuzz_guided if is_guided else fuzz_blindly
        for result in fuzz(target, seconds, options.seed):
            if time.monotonic() - told_at > PROGRESS_S:
                told_at = time.monotonic()
                say(f"\r{target}: {result.runs} runs, {result.covered} branches, {result.findings} findings ")
        say("\r" + " " * 78 + "\r")
        results.append(result)
    say(f"{'target':<14}{'way':<11}{'runs':>10}{'covered':>9}{'new inputs':>12}{'findings':>10}\n")
    for row in results:
        say(
            f"{row.target:<14}{row.way:<11}{row.runs:>10}{row.covered:>9}{row.new_inputs:>12}{row.findings:>10}\n"
        )
    return int(any(row.findings for row in results))


if __name__ == "__main__":
    sys.exit(main())
