"""The database goes away and comes back while people type."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.databases import PostgresDatabases
from tests.support.postgres import Postgres, running_postgres
from tests.support.redis import RedisServer
from tests.support.site import Site


@pytest.fixture
def own_postgres(postgres: Postgres) -> Iterator[Postgres]:
    """A PostgreSQL that this test may break; `postgres` is asked for only to skip where there is none."""
    with running_postgres() as server:
        yield server


async def test_updates_typed_while_the_database_restarts_are_all_kept(
    new_site: Callable[..., Site], own_postgres: Postgres, redis: RedisServer
) -> None:
    database_url = PostgresDatabases(own_postgres).new_url()
    site = new_site(processes=2, DATABASE_URL=database_url, REDIS_URL=redis.url)
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    one, two = await site.join(alice, room, echo="1"), await site.join(bob, room, process=1)
    await one.edit(("text.insert", 0, "before "))
    await two.wait_equal(one)

    own_postgres.stop(immediately=True)
    await one.edit(("text.insert", 7, "one "))
    await two.edit(("map.set", "two", True))
    own_postgres.start()
    await one.wait_echoed(timeout_s=20)
    await one.wait_equal(two, timeout_s=20)

    for server in site.servers:
        server.kill()
    await one.destroy()
    await two.destroy()
    site.start()
    content = await site.content_for_newcomer(alice, room)
    assert (content["text"], content["map"]) == ("before one ", {"two": True})
