"""Redis is away, stopped or too small: nobody waits for it, and processes are level within seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.support.databases import PostgresDatabases
from tests.support.redis import RedisServer, running_redis
from tests.support.server import Server
from tests.support.site import Site

#: The promise: after Redis is back, or a message was lost.
LEVEL_S = 5.0
#: A request or a join that does not wait for Redis, on a busy machine.
PROMPT_S = 3.0
LEASE_S = 6

LOST = "The channel layer (Redis) does not pass messages on"
BACK = "The channel layer (Redis) passes messages on again"


@pytest.fixture
def own_redis(redis: RedisServer) -> Iterator[RedisServer]:
    """A Redis that this test may break; `redis` is asked for only to skip where there is none."""
    with running_redis() as server:
        yield server


@pytest.fixture
def make_site(
    own_redis: RedisServer, new_site: Callable[..., Site], postgres_databases: PostgresDatabases
) -> Callable[..., Site]:
    def make(**variables: str) -> Site:
        variables |= {"COLLAB_ACCESS_LEASE_S": str(LEASE_S)}
        return new_site(
            processes=2, DATABASE_URL=postgres_databases.new_url(), REDIS_URL=own_redis.url, **variables
        )

    return make


@asynccontextmanager
async def within(limit_s: float) -> AsyncIterator[None]:
    """What is in the block takes no longer."""
    started_at = time.monotonic()
    yield
    took_s = time.monotonic() - started_at
    assert took_s < limit_s, f"{took_s:.1f} s"


async def each_logs(servers: tuple[Server, ...], words: str) -> None:
    await asyncio.gather(*(server.wait_logged(words) for server in servers))


async def test_server_started_without_redis_serves_and_is_level_when_redis_appears(
    make_site: Callable[..., Site], own_redis: RedisServer
) -> None:
    own_redis.stop()
    site = make_site()
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    async with within(PROMPT_S):
        await asyncio.to_thread(alice.share, room, bob, "editor")
    async with within(PROMPT_S):
        one, two = await asyncio.gather(site.join(alice, room, echo="1"), site.join(bob, room))
    other = await site.join(bob, room, process=1)
    await one.edit(("text.insert", 0, "without Redis "))
    await one.wait_echoed()
    await two.wait_equal(one)
    await other.wait_equal(one, timeout_s=LEVEL_S)
    await each_logs(site.servers, LOST)

    async with within(LEVEL_S):
        await asyncio.to_thread(own_redis.start)
        await one.edit(("map.set", "Redis", "is there"))
        await other.wait_equal(one, two)
        await each_logs(site.servers, BACK)
    await one.set_awareness({"name": "Alice"})  # this travels over Redis alone
    await other.wait_awareness(one.client, {"name": "Alice"})


@pytest.mark.parametrize("fault", ["pause", "kill"])
async def test_redis_that_does_not_answer_holds_up_neither_requests_nor_sockets(
    make_site: Callable[..., Site], own_redis: RedisServer, fault: str
) -> None:
    site = make_site()
    alice, bob = site.people("alice", "bob")
    room, unopened = alice.create_room(), alice.create_room()
    one, two = await site.join(alice, room, echo="1"), await site.join(alice, room, process=1)
    await one.edit(("text.insert", 0, "before "))
    await two.wait_equal(one)

    getattr(own_redis, fault)()
    async with within(PROMPT_S):
        member = await asyncio.to_thread(alice.share, room, bob, "editor")
    async with within(PROMPT_S):
        await asyncio.to_thread(alice.change_role, room, member, "viewer")
    async with within(PROMPT_S):
        await site.join(alice, unopened, process=1)
    async with within(PROMPT_S):
        await one.edit(("text.insert", 0, "meanwhile "))
        await one.wait_echoed()
    await two.wait_equal(one, timeout_s=LEVEL_S)
    await each_logs(site.servers, LOST)

    async with within(LEVEL_S):
        await asyncio.to_thread(own_redis.resume if fault == "pause" else own_redis.start)
        await two.edit(("text.insert", 0, "after "))
        await one.wait_equal(two)
        await each_logs(site.servers, BACK)


async def test_process_ends_in_time_while_redis_is_stopped(
    make_site: Callable[..., Site], own_redis: RedisServer
) -> None:
    site = make_site()
    alice = site.person("alice")
    room = alice.create_room()
    writer = await site.join(alice, room)
    await writer.edit(("text.insert", 0, "received"))
    own_redis.pause()
    async with within(10):
        await asyncio.to_thread(site.server().terminate)
    await writer.wait_closed(4205)
    await writer.destroy()
    own_redis.resume()
    assert (await site.content_for_newcomer(alice, room, process=1))["text"] == "received"


async def test_channels_that_hold_one_message_delay_and_lose_nothing(make_site: Callable[..., Site]) -> None:
    site = make_site(DJANGO_SETTINGS_MODULE="tests.support.settings_narrow_layer")
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    member = alice.share(room, bob, "editor")
    clients = [await site.join(alice, room, process=number) for number in range(4)]
    revoked = await site.join(bob, room, process=1)

    async def type_words(number: int) -> None:
        for word in range(30):
            await clients[number].edit(("text.insert", 0, f"{number}.{word} "))

    await asyncio.gather(*map(type_words, range(len(clients))))
    await clients[0].wait_equal(*clients[1:], timeout_s=LEVEL_S)
    assert len((await clients[0].text()).split()) == 120
    alice.revoke(room, member)
    await revoked.wait_event("closed", code=4403, timeout_s=LEASE_S + 2)
