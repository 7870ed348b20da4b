"""Updates that a CRDT library changes or loses when it re-encodes them reach everyone as they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.hostile import DIVERGENCE_CASES, OUT_OF_CLOCK_ORDER
from tests.support import frames
from tests.support.providers import Provider
from tests.support.site import Site

#: How the fixture names a root, by the name and kind it has in the document.
ROOTS = {"map m": ("m", "map"), "xml fragment x": ("x", "xml")}
CASES_WITH_CONTENT = [case for case in DIVERGENCE_CASES if case["right"] != "accepted"]
ACCEPTED_CASES = [case for case in DIVERGENCE_CASES if case["right"] == "accepted"]
SIX_OF_CLIENT_ONE = "010106"


def expected(case: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """The shape to read a document in, and the right content."""
    roots = [(*ROOTS[label], content) for label, content in case["right"].items()]
    return {name: kind for name, kind, _ in roots}, {name: content for name, _, content in roots}


async def write(site: Site, room: str, updates: list[str]) -> None:
    """Alice writes these updates and waits until they are committed."""
    socket = await site.open_raw(room, token=site.person("alice").access, query="?echo=1")
    await socket.send(frames.sync_step_1())
    since = (await socket.wait_frame("0001"))["next"]
    for update in updates:
        await socket.send(frames.update(update))
        since = (await socket.wait_frame("0002", since=since))["next"]


@pytest.mark.parametrize("case", CASES_WITH_CONTENT, ids=lambda case: case["name"])
async def test_concurrent_nested_edits_reach_other_clients_right(site: Site, case: dict[str, Any]) -> None:
    shape, right = expected(case)
    alice = site.person("alice")
    room = alice.create_room()
    watching = await site.join(alice, room, process=1)
    await write(site, room, case["updates"])
    late = await site.join(alice, room)
    await watching.wait_equal(late)
    assert await watching.read(shape) == right
    assert await late.read(shape) == right


async def test_concurrent_nested_edits_are_right_after_a_restart(new_site: Callable[..., Site]) -> None:
    site = new_site()
    alice = site.person("alice")
    rooms = {case["name"]: alice.create_room(case["name"]) for case in CASES_WITH_CONTENT}
    for case in CASES_WITH_CONTENT:
        await write(site, rooms[case["name"]], case["updates"])
    site.server().restart()
    for case in CASES_WITH_CONTENT:
        shape, right = expected(case)
        room = rooms[case["name"]]
        assert await site.content_for_newcomer(alice, room, shape=shape) == right, case["name"]


@pytest.mark.parametrize("case", ACCEPTED_CASES, ids=lambda case: case["name"])
async def test_content_that_one_library_refuses_is_accepted_and_kept(
    new_site: Callable[..., Site], case: dict[str, Any]
) -> None:
    site = new_site()
    alice = site.person("alice")
    room = alice.create_room()
    watching = await site.join(alice, room)
    await write(site, room, case["updates"])
    right = (await site.node.read_updates(case["updates"]))["vector"]
    site.server().restart()
    late = await site.join(alice, room)
    await watching.wait_equal(late)
    assert (await late.state())["vector"] == right


async def test_updates_of_one_client_out_of_order_are_all_kept(new_site: Callable[..., Site]) -> None:
    site = new_site()
    alice = site.person("alice")
    room = alice.create_room()
    watching = await site.join(alice, room)
    for update in OUT_OF_CLOCK_ORDER:
        await watching.send_frame(frames.update(update))
    late = await site.join(alice, room)
    await late.wait_equal(late)
    assert (await late.state())["vector"] == SIX_OF_CLIENT_ONE
    site.server().restart()
    state = await (await site.join(alice, room)).state()
    assert (state["vector"], state["pending"]) == (SIX_OF_CLIENT_ONE, False)


async def assert_only_waits(site: Site, provider: Provider) -> None:
    """A client shows nothing of what came too early, and has it all the same."""
    state = await provider.state()
    assert (state["vector"], state["pending"]) == ("00", True)
    assert await provider.read({"t": "text", "a": "array"}) == {"t": "", "a": []}
    assert await site.node.authors_of(state["update"]) == [1]


async def test_what_waits_for_an_update_of_a_client_that_died_waits_in_every_client_alike(
    new_site: Callable[..., Site],
) -> None:
    """Who types while it connects sends that first; if it dies then, nobody has what it typed before."""
    site = new_site()
    alice = site.person("alice")
    room = alice.create_room()
    watching = await site.join(alice, room)
    second_and_third, first = OUT_OF_CLOCK_ORDER[:2], OUT_OF_CLOCK_ORDER[2]
    await write(site, room, second_and_third)
    late = await site.join(alice, room)
    await assert_only_waits(site, watching)
    await assert_only_waits(site, late)

    site.server().kill()
    site.server().start()
    newest = await site.join(alice, room)
    await assert_only_waits(site, newest)

    await write(site, room, [first])  # it was not dead
    await newest.wait_equal(watching, late)
    assert (await newest.state())["vector"] == SIX_OF_CLIENT_ONE
