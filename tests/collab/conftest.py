"""A live engine for each test that needs one, ended with the test."""

from collections.abc import AsyncIterator

import pytest

from collab.live import LiveEngine, get_engine, stop_engine


@pytest.fixture
async def engine() -> AsyncIterator[LiveEngine]:
    yield get_engine()
    await stop_engine()
