"""What happens at each bound, with bounds that a test can reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import running
from tests.support import frames
from tests.support.databases import SqliteDatabases
from tests.support.node import Node
from tests.support.server import Server
from tests.support.site import Site
from tests.support.sockets import RawSocket

LIMITS = {
    "COLLAB_MAX_MESSAGE_BYTES": "20000",
    "COLLAB_MAX_STRUCTS_PER_UPDATE": "50",
    "COLLAB_MAX_DOCUMENT_BYTES": "12000",
    "COLLAB_MAX_CONNECTIONS_PER_ROOM": "4",
    "COLLAB_MAX_CONNECTIONS_PER_USER_AND_ROOM": "3",
    "COLLAB_MESSAGES_PER_S": "1",
    "COLLAB_MESSAGE_BURST": "40",
    "COLLAB_MAX_AWARENESS_BYTES": "500",
    "COLLAB_MAX_CLIENT_IDS": "2",
}
DENIED = "0200"


@pytest.fixture(scope="module")
def limited_installation(
    node_process: Node, sqlite_databases: SqliteDatabases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    variables = {"DATABASE_URL": sqlite_databases.new_url(), **LIMITS}
    with running(Site(node_process, Server(tmp_path_factory.mktemp("limited"), **variables))) as site:
        yield site


@pytest.fixture
def limited(limited_installation: Site, node: Node) -> Iterator[Site]:
    """One process with small bounds."""
    yield limited_installation
    limited_installation.check_logs()


async def open_socket(site: Site, room: str) -> RawSocket:
    socket = await site.open_raw(room, token=site.person("alice").access)
    await socket.send(frames.sync_step_1())
    await socket.wait_frame("0001")
    return socket


def awareness(*states: tuple[int, str]) -> str:
    """An awareness frame: client ids and their states in JSON."""
    entries = [
        frames.var_uint(client) + "01" + frames.var_bytes(state.encode().hex()) for client, state in states
    ]
    return "01" + frames.var_bytes(frames.var_uint(len(entries)) + "".join(entries))


async def test_message_over_the_limit_closes_1009(limited: Site) -> None:
    socket = await open_socket(limited, limited.person("alice").create_room())
    await socket.send("00" * 20_001)
    assert (await socket.wait_close())["code"] == 1009


async def test_update_of_too_many_structs_is_refused_and_told(limited: Site) -> None:
    alice = limited.person("alice")
    room = alice.create_room()
    socket = await open_socket(limited, room)
    edits = [("map.set", f"key {number}", number) for number in range(60)]
    many = await limited.node.make_update(edits, client=90)
    await socket.send(frames.update(many["update"]))
    denied = await socket.wait_frame(DENIED)
    assert frames.denied_reason(denied["hex"])
    assert (await limited.content_for_newcomer(alice, room))["map"] == {}


async def test_document_at_its_limit_refuses_updates_and_goes_on_reading(limited: Site) -> None:
    alice = limited.person("alice")
    room = alice.create_room()
    socket = await open_socket(limited, room)
    fits = await limited.node.make_update([("text.insert", 0, "a" * 9000)], client=91)
    await socket.send(frames.update(fits["update"]))
    too_much = await limited.node.make_update([("text.insert", 0, "b" * 9000)], client=92)
    await socket.send(frames.update(too_much["update"]))
    await socket.wait_frame(DENIED)
    assert (await limited.content_for_newcomer(alice, room))["text"] == "a" * 9000


async def test_one_connection_too_many_of_a_user_is_refused_4429(limited: Site) -> None:
    room = limited.person("alice").create_room()
    admitted = [await open_socket(limited, room) for _ in range(3)]
    refused = await limited.open_raw(room, token=limited.person("alice").access)
    assert (await refused.wait_close())["code"] == 4429
    await admitted[0].close()
    await admitted[0].wait_close()
    await open_socket(limited, room)


async def test_one_connection_too_many_of_a_room_is_refused_4429(limited: Site) -> None:
    alice, bob = limited.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "viewer")
    for _ in range(3):
        await open_socket(limited, room)
    await limited.join(bob, room)
    refused = await limited.open_raw(room, token=bob.access)
    assert (await refused.wait_close())["code"] == 4429


async def test_messages_past_the_burst_close_4429(limited: Site) -> None:
    socket = await open_socket(limited, limited.person("alice").create_room())
    for _ in range(60):
        await socket.send(frames.sync_step_1())
    assert (await socket.wait_close())["code"] == 4429


async def test_awareness_state_over_the_limit_closes_4400(limited: Site) -> None:
    socket = await open_socket(limited, limited.person("alice").create_room())
    await socket.send(awareness((1, '"' + "x" * 600 + '"')))
    assert (await socket.wait_close())["code"] == 4400


async def test_client_ids_over_the_limit_close_4400(limited: Site) -> None:
    socket = await open_socket(limited, limited.person("alice").create_room())
    await socket.send(awareness((1, "{}"), (2, "{}"), (3, "{}")))
    assert (await socket.wait_close())["code"] == 4400
