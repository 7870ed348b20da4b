"""A process ends, at once or in good order: the others go on, and its clients come back elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.support.databases import PostgresDatabases
from tests.support.redis import RedisServer
from tests.support.site import Site
from tests.torture.store import compare

#: A client forgets who has not renewed for 30 s, a process after 45 s.
PRESENCE_S = 35.0


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
