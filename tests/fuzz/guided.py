"""One target under atheris (libFuzzer), in a process of its own: `python -m tests.fuzz.guided gate DIR`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["collab.engine"]):
    from tests.fuzz.targets import TARGETS, run


def main() -> None:
    name = sys.argv.pop(1)
    if name not in TARGETS:
        sys.exit(f"There is no target {name}; there are {', '.join(TARGETS)}.")
    atheris.Setup(sys.argv, lambda data: run(name, data))
    atheris.Fuzz()


main()
