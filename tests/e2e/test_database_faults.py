"""The database is cut, away or full: updates wait, unacknowledged, until it takes them again."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.node import ClientError
from tests.support.postgres import Postgres, running_postgres
from tests.support.redis import RedisServer
from tests.support.server import Server
from tests.support.site import Site

LEASE_S = 3
#: From the database being back to everyone being level, with reconnects and their backoff.
BACK_S = 10.0
WAITING = "updates wait for the store"


@pytest.fixture
def own_postgres(postgres: Postgres) -> Iterator[Postgres]:
    """A PostgreSQL that this test may break; `postgres` is asked for only to skip where there is none."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def two_processes(own_postgres: Postgres, new_site: Callable[..., Site], redis: RedisServer) -> Site:
    return new_site(
        processes=2,
        DATABASE_URL=PostgresDatabases(own_postgres).new_url(),
        REDIS_URL=redis.url,
        COLLAB_ACCESS_LEASE_S=str(LEASE_S),
    )


async def test_connections_cut_while_people_type_lose_nothing(
    two_processes: Site, own_postgres: Postgres
) -> None:
    site = two_processes
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    one, two = await site.join(alice, room, echo="1"), await site.join(bob, room, process=1, echo="1")
    cut = 0
    for number in range(8):
        await one.edit(("text.insert", 0, f"one{number} "))
        await two.edit(("text.insert", 0, f"two{number} "))
        cut += await asyncio.to_thread(own_postgres.cut_connections)
    assert cut > 0
    await one.wait_echoed()
    await two.wait_echoed()
    await one.wait_equal(two)
    for server in site.servers:
        server.kill()
    await one.destroy()
    await two.destroy()
    await asyncio.to_thread(site.start)
    text = (await site.content_for_newcomer(alice, room))["text"]
    assert sorted(text.split()) == sorted(f"{who}{number}" for who in ("one", "two") for number in range(8))


async def test_database_away_for_longer_than_the_lease_closes_with_1013_and_all_come_back(
    two_processes: Site, own_postgres: Postgres
) -> None:
    site = two_processes
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    one, two = await site.join(alice, room, echo="1"), await site.join_document(bob, room, process=1)

    await asyncio.to_thread(own_postgres.stop, immediately=True)  # else the lease may end before the edit
    await one.edit(("text.insert", 0, "typed while it was away "))
    line = await site.server().wait_logged(WAITING)
    assert "The database does not answer: " in line
    await asyncio.gather(one.wait_closed(1013), two.wait_closed(1013))
    await two.edit(("map.set", "typed", "offline"))
    response = await asyncio.to_thread(
        httpx.get,
        f"{site.server().url}/api/v1/rooms/",
        headers={"Authorization": f"Bearer {alice.access}"},
        timeout=10,
    )
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")

    await asyncio.to_thread(own_postgres.start)
    await one.wait_equal(two, timeout_s=BACK_S)
    await two.wait_saved(timeout_s=BACK_S)
    content = await site.content_for_newcomer(alice, room)
    assert (content["text"], content["map"]) == ("typed while it was away ", {"typed": "offline"})


def allow_file_bytes(server: Server, limit: int) -> None:
    """What a full disk does to the process: no file grows past `limit`; this works for root, too."""
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (limit, hard))


def size_of(path: str | Path) -> int:
    return Path(path).stat().st_size


async def test_disk_that_is_full_keeps_updates_waiting_until_there_is_room(
    new_site: Callable[..., Site], sqlite_databases: SqliteDatabases
) -> None:
    database_url = sqlite_databases.new_url()
    site = new_site(DATABASE_URL=database_url)
    alice = site.person("alice")
    room = alice.create_room()
    one, two = await site.join(alice, room, echo="1"), await site.join(alice, room)
    await one.edit(("text.insert", 0, "before "))
    await one.wait_echoed()

    wal_bytes, log_bytes = (
        size_of(database_url.removeprefix("sqlite:///") + "-wal"),
        size_of(site.server().log),
    )
    assert log_bytes < wal_bytes / 2, "the log must have room left"
    allow_file_bytes(site.server(), wal_bytes)
    await one.edit(("text.insert", 0, "while it was full "))
    await two.wait_equal(one)
    line = await site.server().wait_logged(WAITING)
    assert "disk I/O error" in line or "full" in line
    with pytest.raises(ClientError, match="echo at"):
        await one.wait_echoed(timeout_s=0.5)

    allow_file_bytes(site.server(), resource.RLIM_INFINITY)
    await one.wait_echoed()
    site.server().kill()
    await one.destroy()
    await two.destroy()
    await asyncio.to_thread(site.start)
    assert (await site.content_for_newcomer(alice, room))["text"] == "while it was full before "


async def test_database_that_is_read_only_serves_readers_and_acknowledges_nothing(
    new_site: Callable[..., Site], sqlite_databases: SqliteDatabases
) -> None:
    database_url = sqlite_databases.new_url()
    healthy = new_site(DATABASE_URL=database_url)
    alice = healthy.person("alice")
    room = alice.create_room()
    first = await healthy.join(alice, room, echo="1")
    await first.edit(("text.insert", 0, "written before"))
    await first.wait_echoed()
    await first.destroy()
    healthy.server().kill()

    read_only = new_site(DATABASE_URL=database_url, DJANGO_SETTINGS_MODULE="tests.support.settings_read_only")
    writer = await Site(healthy.node, *read_only.servers, *healthy.servers).roam(alice, room, echo="1")
    await writer.wait_content("text", "written before")
    await writer.edit(("text.insert", 0, "not yet "))
    line = await read_only.server().wait_logged(WAITING)
    assert "attempt to write a readonly database" in line
    with pytest.raises(ClientError, match="echo at"):
        await writer.wait_echoed(timeout_s=0.5)

    await asyncio.to_thread(healthy.start)
    read_only.server().kill()
    await writer.wait_echoed()
    assert (await healthy.content_for_newcomer(alice, room))["text"] == "not yet written before"
