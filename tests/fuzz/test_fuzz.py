"""A short run of every target: its corpus, and changed inputs of it. `make fuzz` runs longer."""

from __future__ import annotations

import time
from random import Random

import pytest

from tests.fuzz.mutations import mutated
from tests.fuzz.rooms import corpus
from tests.fuzz.targets import TARGETS, run

SECONDS = 1.5


@pytest.mark.parametrize("target", TARGETS)
def test_target_holds_for_its_corpus(target: str) -> None:
    inputs = corpus(target)
    assert inputs
    for data in inputs:
        run(target, data)


@pytest.mark.parametrize("target", TARGETS)
def test_target_holds_for_changed_inputs(target: str) -> None:
    known = corpus(target)
    seed = time.time_ns()
    random, end = Random(seed), time.monotonic() + SECONDS
    while time.monotonic() < end:
        data = mutated(random.choice(known), known, random)
        try:
            run(target, data)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what we look for
            pytest.fail(f"seed {seed}, input {data.hex()}: {error!r}")
