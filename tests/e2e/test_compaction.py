"""Garbage goes while a server runs, in a process of its own, and at the operator's word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.conftest import ONE_PROCESS, TWO_WORKERS
from tests.support.databases import SqliteDatabases
from tests.support.server import environment, manage
from tests.support.site import Site

LETTERS = 1_000_000


@pytest.mark.parametrize("installation", [ONE_PROCESS, TWO_WORKERS], indirect=True)
async def test_room_full_of_garbage_is_compacted_while_it_is_open(site: Site) -> None:
    alice = site.person("alice")
    room = alice.create_room()
    writer, reader = await site.join(alice, room), await site.join(alice, room, process=1)
    for _ in range(5):
        await writer.edit(("text.insert", 0, "x" * LETTERS))
        await writer.edit(("text.delete", 0, LETTERS))
    await site.server().wait_logged(f"Room {room}: ")
    await writer.edit(("text.insert", 0, "what is left"))
    await reader.wait_equal(writer)
    assert (await site.content_for_newcomer(alice, room))["text"] == "what is left"
    await writer.destroy()
    await reader.destroy()


async def test_command_compacts_a_room_that_is_open(
    new_site: Callable[..., Site], sqlite_databases: SqliteDatabases
) -> None:
    url = sqlite_databases.new_url()
    site = new_site(DATABASE_URL=url)
    alice = site.person("alice")
    room = alice.create_room()
    writer = await site.join(alice, room, echo="1")
    await writer.edit(("text.insert", 0, "x" * LETTERS))
    await writer.edit(("text.delete", 0, LETTERS))
    await writer.edit(("text.insert", 0, "what is left"))
    reader = await site.join(alice, room)
    await reader.wait_equal(writer)
    done = manage("compact_rooms", "--room", room, env=environment(DATABASE_URL=url))
    assert done.returncode == 0, done.stdout
    summary = done.stdout.splitlines()[-1]
    assert summary.startswith("1 rooms, "), summary
    assert int(summary.split()[4]) < 200
    await writer.edit(("text.insert", 0, "this is "))
    await reader.wait_equal(writer)
    site.server().kill()
    site.start()
    newcomer = await site.join(alice, room)
    await newcomer.wait_equal(writer)
    for provider in (writer, reader, newcomer):
        await provider.destroy()
