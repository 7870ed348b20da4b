"""The channel layer is a hint: with Redis gone, access still ends in time and documents still converge."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.databases import PostgresDatabases
from tests.support.redis import RedisServer, running_redis
from tests.support.site import Site

LEASE_S = 3
#: A lease is renewed by a timer: what is allowed beside the lease itself on a busy machine.
MARGIN_S = 1.5


@pytest.fixture
def own_redis(redis: RedisServer) -> Iterator[RedisServer]:
    """A Redis that this test may break; `redis` is asked for only to skip where there is none."""
    with running_redis() as server:
        yield server


@pytest.fixture
def two_processes(
    new_site: Callable[..., Site], postgres_databases: PostgresDatabases, own_redis: RedisServer
) -> Site:
    return new_site(
        processes=2,
        DATABASE_URL=postgres_databases.new_url(),
        REDIS_URL=own_redis.url,
        COLLAB_ACCESS_LEASE_S=str(LEASE_S),
    )


async def test_revocation_whose_message_is_lost_closes_within_the_lease(
    two_processes: Site, own_redis: RedisServer
) -> None:
    site = two_processes
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    member = alice.share(room, bob, "editor")
    owner, revoked = await site.join(alice, room, process=1), await site.join(bob, room, process=1)

    own_redis.kill()
    alice.revoke(room, member)
    revoked_at = time.monotonic()
    await revoked.wait_event("closed", code=4403)
    assert time.monotonic() - revoked_at < LEASE_S + MARGIN_S
    assert (await owner.state())["connected"]


async def test_edits_made_while_redis_is_gone_reach_the_other_process(
    two_processes: Site, own_redis: RedisServer
) -> None:
    site = two_processes
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    one, two = await site.join(alice, room), await site.join(bob, room, process=1)
    own_redis.stop()
    await one.edit(("text.insert", 0, "from the first process "))
    await two.edit(("map.set", "from", "the second"))
    await one.wait_equal(two, timeout_s=2 * LEASE_S + MARGIN_S)

    own_redis.start()
    await two.edit(("text.insert", 0, "again "))
    await one.wait_equal(two, timeout_s=2 * LEASE_S + MARGIN_S)
