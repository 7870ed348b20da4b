"""Clients of the server, and patience cut short."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from backend import server as server_module
from collab import live
from collab.engine import registry
from tests.support.asgi_server import Peer


@pytest.fixture
async def peers() -> AsyncIterator[Callable[[int], Awaitable[Peer]]]:
    opened: list[Peer] = []

    async def make(port: int) -> Peer:
        peer = Peer(port)
        await peer.open()
        opened.append(peer)
        return peer

    yield make
    for peer in opened:
        peer.leave()


@pytest.fixture
def quick_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "GOODBYE_S", 0.2)


@pytest.fixture
def quick_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "STUCK_S", 0.5)
    monkeypatch.setattr(live, "SWEEP_S", 0.1)
