"""What happens at each bound, with bounds that a test can reach, on real sockets of both protocols.

Elsewhere: COLLAB_ACCESS_LEASE_S in `test_database_faults`, a client that stays stuck in
`tests/backend/test_server`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

import pycrdt
import pytest

from tests.e2e.conftest import running
from tests.engine.builders import typed
from tests.support import frames
from tests.support.api import Person
from tests.support.databases import SqliteDatabases
from tests.support.hocuspocus import HocuspocusProvider
from tests.support.node import Node
from tests.support.readers import Reader, joined_reader
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
    "COLLAB_AUTH_TIMEOUT_S": "3",
    "COLLAB_MAX_UNAUTHENTICATED_BYTES": "4000",
    "COLLAB_MAX_UNAUTHENTICATED_ROOMS": "5",
}
AUTH_TIMEOUT_S = 3
OUTBOX_BYTES = 100_000
COMMIT_INTERVAL_S = 1.0
#: What one update of the writer has that a stopped reader does not take, and how many there are.
CHUNK_BYTES, CHUNKS = 40_000, 250

both_protocols = pytest.mark.parametrize("protocol", ["y-websocket", "hocuspocus"])


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


@dataclass
class Line:
    """A raw socket with one document; `prefix` (hex) stands before each of its messages."""

    socket: RawSocket
    prefix: str = ""

    async def send(self, message: str) -> None:
        await self.socket.send(self.prefix + message)

    async def wait_frame(self, beginning: str, *, since: int = 0) -> int:
        """Wait for a message that begins so; where to look for a later one."""
        return int((await self.socket.wait_frame(self.prefix + beginning, since=since))["next"])

    async def wait_refused(self) -> None:
        """Wait until it is told that an update was not taken in."""
        await self.wait_frame("0800" if self.prefix else "0200")

    async def wait_code(self) -> int:
        return int((await self.socket.wait_close())["code"])


def address(room: str) -> str:
    return frames.var_bytes(room.encode().hex())


def token_message(token: str) -> str:
    return "0200" + frames.var_bytes(token.encode().hex())


async def open_hocuspocus(site: Site) -> RawSocket:
    """A socket on which nobody has said yet who it is."""
    return await RawSocket.open(site.node, site.server().collaboration_url)


async def open_line(site: Site, protocol: str, room: str, person: Person | None = None) -> Line:
    """A line that has all of the document."""
    token = (person or site.person("alice")).access
    if protocol == "hocuspocus":
        line = Line(await open_hocuspocus(site), address(room))
        await line.send(token_message(token))
    else:
        line = Line(await site.open_raw(room, token=token))
    await line.send(frames.sync_step_1())
    await line.wait_frame("0001")
    return line


def awareness(*states: tuple[int, str]) -> str:
    """An awareness message: client ids and their states in JSON."""
    entries = [
        frames.var_uint(client) + "01" + frames.var_bytes(state.encode().hex()) for client, state in states
    ]
    return "01" + frames.var_bytes(frames.var_uint(len(entries)) + "".join(entries))


# -- messages and documents


@both_protocols
async def test_message_over_the_limit_closes_1009(limited: Site, protocol: str) -> None:
    line = await open_line(limited, protocol, limited.person("alice").create_room())
    await line.send("00" * 20_001)
    assert await line.wait_code() == 1009


@both_protocols
async def test_update_of_too_many_structs_is_refused_and_told(limited: Site, protocol: str) -> None:
    alice = limited.person("alice")
    room = alice.create_room()
    line = await open_line(limited, protocol, room)
    edits = [("map.set", f"key {number}", number) for number in range(60)]
    many = await limited.node.make_update(edits, client=90)
    await line.send(frames.update(many["update"]))
    await line.wait_refused()
    assert (await limited.content_for_newcomer(alice, room))["map"] == {}


@both_protocols
async def test_document_at_its_limit_refuses_updates_and_goes_on_reading(
    limited: Site, protocol: str
) -> None:
    alice = limited.person("alice")
    room = alice.create_room()
    line, other = await open_line(limited, protocol, room), await open_line(limited, protocol, room)
    fits = await limited.node.make_update([("text.insert", 0, "a" * 9000)], client=91)
    await line.send(frames.update(fits["update"]))
    too_much = await limited.node.make_update([("text.insert", 0, "b" * 9000)], client=92)
    await line.send(frames.update(too_much["update"]))
    await line.wait_refused()
    seen = await line.wait_frame("0001")
    little = await limited.node.make_update([("map.set", "still", "read")], client=93)
    await other.send(frames.update(little["update"]))
    await line.wait_frame(frames.update(little["update"]), since=seen)
    content = await limited.content_for_newcomer(alice, room)
    assert (content["text"], content["map"]) == ("a" * 9000, {"still": "read"})


# -- connections


@both_protocols
async def test_one_connection_too_many_of_a_user_is_refused_4429(limited: Site, protocol: str) -> None:
    alice = limited.person("alice")
    room = alice.create_room()
    admitted = [await open_line(limited, protocol, room) for _ in range(3)]
    assert await refusal(limited, protocol, alice, room) == 4429
    await admitted[0].socket.close()
    await admitted[0].socket.wait_close()
    await open_line(limited, protocol, room)


@both_protocols
async def test_one_connection_too_many_of_a_room_is_refused_4429(limited: Site, protocol: str) -> None:
    """Of both protocols together."""
    alice, bob = limited.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "viewer")
    for each in ("y-websocket", "hocuspocus", "y-websocket"):
        await open_line(limited, each, room)
    await open_line(limited, protocol, room, bob)
    assert await refusal(limited, protocol, bob, room) == 4429


async def refusal(site: Site, protocol: str, person: Person, room: str) -> int:
    """The code that ends a socket which is told that its only room has no place."""
    if protocol == "hocuspocus":
        line = Line(await open_hocuspocus(site), address(room))
        await line.send(token_message(person.access))
        await line.wait_frame("0201")
    else:
        line = Line(await site.open_raw(room, token=person.access))
        await line.wait_frame("0200")
    return await line.wait_code()


@pytest.mark.parametrize("version", [2, 3, 4])
async def test_full_room_leaves_the_socket_to_the_other_rooms(limited: Site, version: int) -> None:
    alice, bob = limited.people("alice", "bob")
    full, free = alice.create_room(), alice.create_room()
    for room in (full, free):
        alice.share(room, bob, "editor")
    holders = [await limited.join(person, full) for person in (alice, alice, alice, bob)]
    socket = f"shared {version}"
    refused, admitted = [
        await limited.open_document(bob, room, version=version, socket=socket) for room in (full, free)
    ]
    assert (await refused.wait_denied())["reason"] == "The room has as many connections as are allowed."
    await admitted.wait_saved()
    await admitted.edit(("text.insert", 0, "goes on"))
    await admitted.wait_saved()

    await holders[0].destroy()
    await refused.detach()
    await come_in(refused)
    assert (await admitted.state())["connections"] == 1


async def come_in(provider: HocuspocusProvider) -> None:
    """Try again, as an application does that was told; the place is free a moment after the other left."""
    since = (await provider.state())["events"]
    await provider.attach()
    while not (await provider.state())["synced"]:
        news = [event["type"] for event in (await provider.events())[since:]]
        if "denied" in news:
            since += len(news)
            await provider.detach()
            await provider.attach()


# -- rates and presence


@both_protocols
async def test_messages_past_the_burst_close_4429(limited: Site, protocol: str) -> None:
    line = await open_line(limited, protocol, limited.person("alice").create_room())
    for _ in range(60):
        await line.send(frames.sync_step_1())
    assert await line.wait_code() == 4429


@both_protocols
@pytest.mark.parametrize(
    "states",
    [[(1, '"' + "x" * 600 + '"')], [(1, "{}"), (2, "{}"), (3, "{}")]],
    ids=["state over the limit", "client ids over the limit"],
)
async def test_presence_over_the_limits_closes_4400(
    limited: Site, protocol: str, states: list[tuple[int, str]]
) -> None:
    line = await open_line(limited, protocol, limited.person("alice").create_room())
    await line.send(awareness(*states))
    assert await line.wait_code() == 4400


# -- before authentication, which is y-websocket's handshake


async def test_socket_that_nobody_authenticates_in_time_closes_4408(limited: Site) -> None:
    socket = await open_hocuspocus(limited)
    opened_at = time.monotonic()
    await socket.send(address(str(uuid4())) + frames.sync_step_1())
    assert (await socket.wait_close())["code"] == 4408
    assert time.monotonic() - opened_at > AUTH_TIMEOUT_S - 0.5


@pytest.mark.parametrize(
    "make_frames",
    [
        lambda: [address(str(uuid4())) + frames.update("00" * 1500) for _ in range(3)],
        lambda: [address(str(uuid4())) + frames.sync_step_1() for _ in range(6)],
    ],
    ids=["bytes over the limit", "rooms over the limit"],
)
async def test_too_much_before_the_tokens_closes_4429(
    limited: Site, make_frames: Callable[[], list[str]]
) -> None:
    socket = await open_hocuspocus(limited)
    opened_at = time.monotonic()
    for frame in make_frames():
        await socket.send(frame)
    assert (await socket.wait_close())["code"] == 4429
    assert time.monotonic() - opened_at < AUTH_TIMEOUT_S - 0.5


# -- outbox and commits


@both_protocols
async def test_reader_that_stops_is_level_again_with_one_update(
    new_site: Callable[..., Site], protocol: str
) -> None:
    """Others notice nothing; what was dropped meanwhile comes as one update."""
    site = new_site(COLLAB_OUTBOX_BYTES=str(OUTBOX_BYTES))
    alice = site.person("alice")
    room = alice.create_room()
    async with (
        joined_reader(site, "y-websocket", alice.access, room) as writer,
        joined_reader(site, protocol, alice.access, room) as other,
        joined_reader(site, protocol, alice.access, room, receive_buffer_bytes=4096) as stopped,
    ):
        await asyncio.gather(write_chunks(writer), read_all_chunks(other))
        updates = await read_all_chunks(stopped)
    assert len(updates) < CHUNKS * 3 // 4
    assert [len(update) > 2 * CHUNK_BYTES for update in updates] == [False] * (len(updates) - 1) + [True]


async def write_chunks(writer: Reader) -> None:
    for number in range(CHUNKS):
        await writer.send(frames.update(typed(7, "x" * CHUNK_BYTES, number * CHUNK_BYTES).hex()))


async def read_all_chunks(reader: Reader) -> list[bytes]:
    """Read until the whole text is there; the updates that brought it."""
    document: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    text = document.get("t", type=pycrdt.Text)
    updates: list[bytes] = []
    while len(text) < CHUNKS * CHUNK_BYTES:
        message = await reader.read()
        if message.startswith(("0001", "0002")):
            updates.append(bytes.fromhex(frames.payload_of(message)))
            document.apply_update(updates[-1])
    return updates


@both_protocols
async def test_updates_are_saved_after_the_commit_interval(
    new_site: Callable[..., Site], protocol: str
) -> None:
    site = new_site(COLLAB_COMMIT_INTERVAL_MS=str(int(COMMIT_INTERVAL_S * 1000)))
    alice = site.person("alice")
    room = alice.create_room()
    is_hocuspocus = protocol == "hocuspocus"
    client = await (site.join_document(alice, room) if is_hocuspocus else site.join(alice, room, echo="1"))
    started_at = time.monotonic()
    for number in range(5):
        await client.edit(("text.insert", 0, f"{number}"))
    await (client.wait_saved() if isinstance(client, HocuspocusProvider) else client.wait_echoed())
    assert time.monotonic() - started_at > COMMIT_INTERVAL_S - 0.1
