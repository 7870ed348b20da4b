"""Scenes, each test with frames that come in by either way."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from collab.engine.limits import Limits
from tests.engine.room.scenes import MakeScene, Scene
from tests.engine.scripted import FakeClock


@pytest.fixture(params=[False, True], ids=["in turn", "at once"])
async def make_scene(clock: FakeClock, request: pytest.FixtureRequest) -> AsyncIterator[MakeScene]:
    """Scenes for either way that frames come in: by the task of the connection, or past it where they can."""
    scenes: list[Scene] = []

    def make(**limits: int) -> Scene:
        scenes.append(Scene(clock, Limits(**limits), tries_at_once=request.param))
        return scenes[-1]

    yield make
    for scene in scenes:
        for member in scene.clients:
            await member.end()


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene()
