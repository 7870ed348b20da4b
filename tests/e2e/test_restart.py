"""What the server was given is still there after it ended, however it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.support import frames
from tests.support.databases import PostgresDatabases
from tests.support.redis import RedisServer
from tests.support.site import Site

#: Long enough that only the drain can have committed what was typed a moment ago.
COMMITS_LATE = {"COLLAB_COMMIT_INTERVAL_MS": "2000"}
ENDED_BY_SIGTERM = {0, -15, 143}


async def test_sigterm_closes_sockets_with_4205_and_keeps_received_updates(
    new_site: Callable[..., Site],
) -> None:
    site = new_site(**COMMITS_LATE)
    alice = site.person("alice")
    room = alice.create_room()
    writer, reader = await site.join(alice, room), await site.join(alice, room)
    await writer.edit(("text.insert", 0, "typed at the last moment"))
    await reader.wait_equal(writer)

    assert site.server().terminate() in ENDED_BY_SIGTERM
    await writer.wait_closed(4205)
    await reader.wait_closed(4205)
    await writer.destroy()
    await reader.destroy()

    site.start()
    content = await site.content_for_newcomer(alice, room)
    assert content["text"] == "typed at the last moment"


async def test_sigterm_reaches_every_worker(
    new_site: Callable[..., Site], postgres_databases: PostgresDatabases, redis: RedisServer
) -> None:
    site = new_site(
        "--workers", "2", DATABASE_URL=postgres_databases.new_url(), REDIS_URL=redis.url, **COMMITS_LATE
    )
    alice = site.person("alice")
    room = alice.create_room()
    clients = [await site.join(alice, room) for _ in range(6)]
    await clients[0].edit(("text.insert", 0, "typed on one of two"))
    await clients[0].wait_equal(*clients[1:])
    await clients[0].edit(("text.insert", 0, "just "))

    assert site.server().terminate() in ENDED_BY_SIGTERM
    for client in clients:
        await client.wait_closed(4205)
        await client.destroy()
    site.start()
    assert (await site.content_for_newcomer(alice, room))["text"] == "just typed on one of two"


async def test_workers_whose_parent_was_killed_end_and_leave_the_port(
    new_site: Callable[..., Site], postgres_databases: PostgresDatabases, redis: RedisServer
) -> None:
    site = new_site("--workers", "2", DATABASE_URL=postgres_databases.new_url(), REDIS_URL=redis.url)
    alice = site.person("alice")
    room = alice.create_room()
    writer = await site.join(alice, room)
    await writer.edit(("text.insert", 0, "typed before"))

    site.server().kill()
    await writer.wait_closed(4205)
    await writer.destroy()
    while site.server().is_healthy():  # noqa: ASYNC110  # other processes end; no event tells of it
        await asyncio.sleep(0.05)
    site.start()
    assert (await site.content_for_newcomer(alice, room))["text"] == "typed before"


async def test_kill_after_the_echo_loses_nothing(new_site: Callable[..., Site]) -> None:
    site = new_site()
    alice = site.person("alice")
    room = alice.create_room()
    writer = await site.join(alice, room, echo="1")
    for number in range(20):
        await writer.edit(("text.insert", 0, f"{number} "), ("map.set", "last", number))
    await writer.wait_echoed()
    written = await writer.read()

    site.server().kill()
    await writer.destroy()
    site.start()
    assert await site.content_for_newcomer(alice, room) == written


async def test_echo_comes_only_to_those_who_ask_for_it(site: Site) -> None:
    alice = site.person("alice")
    room = alice.create_room()
    asking, silent = await site.join(alice, room, echo="1"), await site.join(alice, room)
    await silent.edit(("text.insert", 0, "unechoed"))
    await asking.wait_equal(silent)
    await asking.edit(("text.insert", 0, "echoed "))
    await silent.wait_equal(asking)
    await asking.wait_echoed()
    received = [frames.payload_of(frame) for frame in await silent.frames() if frame.startswith("0002")]
    authors = [await site.node.authors_of(update) for update in received]
    assert authors == [[asking.client]]


@pytest.mark.parametrize("ending", ["terminate", "kill"])
async def test_clients_that_stay_open_converge_after_the_server_came_back(
    new_site: Callable[..., Site], ending: str
) -> None:
    site = new_site()
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob)
    one, two = await site.join(alice, room), await site.join(bob, room)
    await one.edit(("text.insert", 0, "before "))
    await two.wait_equal(one)

    getattr(site.server(), ending)()
    await one.wait_event("status", status="disconnected")
    await two.wait_event("status", status="disconnected")
    await one.edit(("text.insert", 7, "meanwhile one "))
    await two.edit(("text.insert", 7, "meanwhile two "))
    site.start()
    await one.wait_equal(two, timeout_s=15)
    text = await one.text()
    assert text.startswith("before ")
    assert sorted(text.split()) == ["before", "meanwhile", "meanwhile", "one", "two"]
