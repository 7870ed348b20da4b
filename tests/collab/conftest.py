"""A live engine for each test that needs one, and no connection left behind."""

import gc
from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from collab.live import LiveEngine, get_engine, stop_engine


@pytest.fixture
async def engine() -> AsyncIterator[LiveEngine]:
    yield get_engine()
    await stop_engine()
    gc.collect()  # here, on the thread that y-py's documents were made on and must be dropped on


@pytest.fixture(autouse=True)
async def no_open_connection() -> AsyncIterator[None]:
    """Close what asynchronous tests opened in the thread that synchronous code runs in."""
    yield
    await sync_to_async(connections.close_all)()
