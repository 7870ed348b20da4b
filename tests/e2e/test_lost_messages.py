"""The channel layer is a hint: with Redis gone, access still ends in time and documents still converge."""

from __future__ import annotations

import time

from tests.e2e.conftest import LEASE_S, MARGIN_S
from tests.support.redis import RedisServer
from tests.support.site import Site


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
