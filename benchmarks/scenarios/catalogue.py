"""All scenarios, in the order in which they are run and shown."""

from __future__ import annotations

from benchmarks.scenarios.acknowledgement import Acknowledgement
from benchmarks.scenarios.awareness import Awareness
from benchmarks.scenarios.base import Scenario
from benchmarks.scenarios.cross_process import CrossProcess
from benchmarks.scenarios.fan_out import FanOut
from benchmarks.scenarios.growth import growths
from benchmarks.scenarios.join_storm import JoinStorm
from benchmarks.scenarios.many_rooms import ManyRooms
from benchmarks.scenarios.memory import Memory
from benchmarks.scenarios.opening import Opening
from benchmarks.scenarios.rest import Rest
from benchmarks.scenarios.saturation import Saturation
from benchmarks.scenarios.single_load import SingleLoad

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        FanOut(clients=50, rate=100),
        FanOut(clients=200, rate=50),
        Saturation(),
        ManyRooms(),
        JoinStorm(),
        Awareness(),
        Memory(),
        Opening(),
        Acknowledgement(),
        CrossProcess(),
        SingleLoad(),
        Rest(kind="list"),
        Rest(kind="share"),
        *growths(),
    )
}
