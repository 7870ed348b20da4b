"""A process ends, at once or in good order: the others go on, and its clients come back elsewhere."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.databases import PostgresDatabases
from tests.support.redis import RedisServer
from tests.support.site import Site
from tests.torture.store import compare

#: The promise for clients of a process that died; a client by itself forgets others after 30 s.
PRESENCE_S = 10.0
#: For those of one that ends in good order.
AT_ONCE_S = 3.0


@pytest.fixture
def database_url(postgres_databases: PostgresDatabases) -> str:
    return postgres_databases.new_url()


@pytest.fixture
def two_processes(new_site: Callable[..., Site], database_url: str, redis: RedisServer) -> Site:
    return new_site(processes=2, DATABASE_URL=database_url, REDIS_URL=redis.url)


async def test_process_that_is_killed_leaves_the_others_going_and_its_clients_come_back(
    two_processes: Site,
) -> None:
    site = two_processes
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    staying, roaming = await site.join(alice, room), await site.roam(bob, room, process=1, echo="1")
    gone = await site.join(bob, room, process=1)
    await gone.set_awareness({"name": "Gone"})
    await roaming.set_awareness({"name": "Bob"})
    await staying.wait_awareness(gone.client, {"name": "Gone"})

    await roaming.edit(("text.insert", 0, "a moment before "))
    site.server(1).kill()
    await gone.destroy()
    await staying.edit(("map.set", "went on", True))
    await roaming.wait_equal(staying)
    await roaming.edit(("text.insert", 0, "elsewhere "))
    await roaming.wait_echoed()
    await staying.wait_content("text", "elsewhere a moment before ")
    assert (await staying.state())["connections"] == 1
    await staying.wait_awareness(gone.client, None, timeout_s=PRESENCE_S)
    await staying.wait_awareness(roaming.client, {"name": "Bob"})


@pytest.fixture
def three_processes(new_site: Callable[..., Site], database_url: str, redis: RedisServer) -> Site:
    return new_site(processes=3, DATABASE_URL=database_url, REDIS_URL=redis.url)


@pytest.mark.parametrize(("end", "limit_s"), [("kill", PRESENCE_S), ("terminate", AT_ONCE_S)])
async def test_presence_in_a_process_that_ends_goes_from_the_others_in_time(
    three_processes: Site, end: str, limit_s: float
) -> None:
    site = three_processes
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    staying = [await site.join(alice, room, process=number) for number in range(2)]
    gone, roaming = await site.join(bob, room, process=2), await site.roam(bob, room, process=2)
    everyone = [*staying, gone, roaming]
    for client in everyone:
        await client.set_awareness({"is": "here"})
    for client in everyone:
        for other in everyone:
            await client.wait_awareness(other.client, {"is": "here"})

    ending = asyncio.create_task(asyncio.to_thread(getattr(site.server(2), end)))
    await asyncio.gather(*(client.wait_awareness(gone.client, None, limit_s) for client in staying))
    await ending
    await gone.destroy()
    await roaming.wait_synced()
    late = await site.join(alice, room, process=1)
    for client in [*staying, late]:
        for other in [*staying, roaming]:
            await client.wait_awareness(other.client, {"is": "here"})
        assert str(gone.client) not in await client.awareness()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process is there and does nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_presence_in_a_process_that_only_stood_still_comes_back(three_processes: Site) -> None:
    site = three_processes
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    clients = [await site.join(alice, room, process=number) for number in range(2)]
    slow = await site.join(bob, room, process=2)
    for client in [*clients, slow]:
        await client.set_awareness({"at": 1})
    for client in [*clients, slow]:
        for other in [*clients, slow]:
            await client.wait_awareness(other.client, {"at": 1})

    with stopped(site.server(2).pid):
        for client in clients:
            await client.wait_awareness(slow.client, None, PRESENCE_S)
    async with asyncio.timeout(PRESENCE_S):
        at = 1
        while not all([str(slow.client) in await client.awareness() for client in clients]):
            at += 1
            await slow.set_awareness({"at": at})  # lost, while the process finds its way back to Redis
            await asyncio.sleep(0.1)
    for client in clients:
        await client.wait_awareness(slow.client, {"at": at})
        assert (await slow.awareness())[str(client.client)]["at"] == 1


async def test_process_drained_under_load_hands_its_writers_over_without_a_loss(
    two_processes: Site, database_url: str
) -> None:
    site, node = two_processes, two_processes.node
    alice = site.person("alice")
    room = alice.create_room()
    urls = [server.socket_url for server in site.servers]
    params = {"token": alice.access, "echo": "1"}
    writers = [
        {"name": f"{n}", "urls": urls, "first": n % 2, "room": room, "params": params, "meanMs": 20}
        for n in range(12)
    ]
    await node.call("writersStart", writers=writers)
    await node.call("writersWaitAcknowledged", count=300, timeout_s=20)
    await node.call("writersDoom", url=urls[0], share=1)  # they never tell anybody again what they wrote
    assert await asyncio.to_thread(site.server().terminate) in {0, -15, 143}
    status = await node.call("writersStatus")
    await node.call("writersWaitAcknowledged", count=status["acknowledged"] + 100, timeout_s=20)

    await node.call("writersStop")
    assert await node.call("writersWaitLevel", timeout_s=10) == {}
    result = await node.call("writersResult")
    assert set(result["closes"]) == {"4205"}
    assert not result["gaveUp"]
    promised = result["acknowledged"]
    held = await asyncio.to_thread(compare, promised, database_url)
    assert held[room].missing == []
