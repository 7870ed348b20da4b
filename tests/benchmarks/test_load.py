"""The load of `make bench` sees what a server does not deliver: tried on a relay that can be made to fail."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.generator import Load, running_load
from benchmarks.scenarios.base import problems_of
from benchmarks.servers.base import Door, Plan, Server
from benchmarks.verify import problems_of_sample
from tests.support.missing import skipping_what_is_missing

CLIENTS = 4
EMPTY_STEP_2 = b"\x00\x01\x02\x00\x00"

Forward = Callable[[int, bytes], list[bytes]]


class Relay(Server):
    """Passes each update on to the others, as `forward(number of the frame, frame)` says."""

    name, title = "relay", "Relay"

    def __init__(self, forward: Forward) -> None:
        super().__init__(Path())
        self._forward = forward
        self._clients: set[ServerConnection] = set()
        self._frames = 0

    @classmethod
    def install(cls, cache: Path) -> None: ...

    def start(self, plan: Plan) -> None:
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=[self._run(ready)])
        self._thread.start()
        ready.result(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    @property
    def pids(self) -> tuple[int, ...]:
        return ()

    def door(self, room: int, client: int = 0) -> Door:
        return Door(room, "/")

    async def _run(self, ready: Future[None]) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with serve(self._talk, "127.0.0.1", self.port, compression=None):
            ready.set_result(None)
            await self._end.wait()

    async def _talk(self, connection: ServerConnection) -> None:
        self._clients.add(connection)
        async for frame in connection:
            assert isinstance(frame, bytes)
            if frame[:2] == b"\x00\x00":
                await connection.send(EMPTY_STEP_2)
            if frame[:2] == b"\x00\x02":
                self._frames += 1
                for out in self._forward(self._frames, frame):
                    for other in self._clients - {connection}:
                        await other.send(out)


@pytest.fixture
def load() -> Iterator[Load]:
    with skipping_what_is_missing(), running_load() as running:
        yield running


@pytest.fixture
def relay(request: pytest.FixtureRequest) -> Iterator[Relay]:
    server = Relay(request.param)
    server.start(Plan())
    yield server
    server.stop()


def faithful(number: int, frame: bytes) -> list[bytes]:
    return [frame]


def forgetful(number: int, frame: bytes) -> list[bytes]:
    return [] if number == 17 else [frame]


def repeating(number: int, frame: bytes) -> list[bytes]:
    return [frame, frame]


def garbling(number: int, frame: bytes) -> list[bytes]:
    return [frame[:-4]] if number == 17 else [frame]


@pytest.mark.parametrize("relay", [faithful], indirect=True)
def test_load_all_delivered_has_no_problems_and_a_real_document_agrees(load: Load, relay: Relay) -> None:
    crowd = load.crowd(relay, relay.doors(1, CLIENTS))
    crowd.open()
    result = crowd.write(rate=200, seconds=0.5, sample=CLIENTS - 1)
    assert (result["sent"], result["delivered"]) == (100, 100 * (CLIENTS - 1))
    assert problems_of(result) == []
    sample = crowd.sample(CLIENTS - 1)
    assert problems_of_sample(sample) == []
    sample["updates"] = sample["updates"][:-1]
    assert problems_of_sample(sample) != []


@pytest.mark.parametrize("relay", [forgetful], indirect=True)
def test_load_one_update_lost_is_told(load: Load, relay: Relay) -> None:
    crowd = load.crowd(relay, relay.doors(1, CLIENTS))
    crowd.open()
    result = crowd.write(rate=200, seconds=0.5, drainMs=300)
    assert result["delivered"] < result["expected"]
    assert "were delivered" in problems_of(result)[0]


@pytest.mark.parametrize("relay", [repeating], indirect=True)
def test_load_updates_sent_twice_count_once(load: Load, relay: Relay) -> None:
    crowd = load.crowd(relay, relay.doors(1, CLIENTS))
    crowd.open()
    result = crowd.write(rate=200, seconds=0.5)
    assert result["delivered"] == result["expected"]
    assert result["repeated"] > 0


@pytest.mark.parametrize("relay", [garbling], indirect=True)
def test_load_a_frame_cut_short_is_told(load: Load, relay: Relay) -> None:
    crowd = load.crowd(relay, relay.doors(1, CLIENTS))
    crowd.open()
    result = crowd.write(rate=200, seconds=0.5, drainMs=300)
    assert any("could not be read" in problem for problem in problems_of(result))


@pytest.mark.parametrize("relay", [faithful], indirect=True)
def test_load_seeded_document_reaches_a_second_client(load: Load, relay: Relay) -> None:
    crowd = load.crowd(relay, relay.doors(1, 2))
    crowd.open()
    crowd.seed(100_000, update_bytes=20_000)  # raises if it does not
