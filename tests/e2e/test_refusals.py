"""Who does not get in, and that the refusal says why to them and nothing to anyone else."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.support import frames
from tests.support.site import Site
from tests.support.sockets import RawSocket


async def refusal(socket: RawSocket) -> tuple[str, int, str]:
    """The reason in the message that comes first, the close code, and the close reason."""
    assert socket.status == 101, "a close before accept has no code in a browser"
    close = await socket.wait_close()
    first = (await socket.events())[0]
    return frames.denied_reason(first["hex"]), close["code"], close["reason"]


async def test_room_without_access_unknown_or_of_another_tenant_all_look_the_same(site: Site) -> None:
    alice, mallory = site.people("alice", "mallory")
    organization = alice.create_organization()
    alice.add_to_organization(organization, mallory, "member")
    rooms = {
        "unknown": str(uuid.uuid4()),
        "another tenant's": alice.create_room(),
        "same tenant, no grant": alice.create_room(organization=organization),
    }
    refusals = {
        name: await refusal(await site.open_raw(room, token=mallory.access, process=1))
        for name, room in rooms.items()
    }
    assert {code for _, code, _ in refusals.values()} == {4403}, refusals
    assert len(set(refusals.values())) == 1, refusals
    assert refusals["unknown"][0]


async def test_trashed_room_is_refused_4403_even_to_its_owner(site: Site) -> None:
    alice = site.person("alice")
    room = alice.create_room()
    alice.request("DELETE", f"rooms/{room}/")
    assert (await refusal(await site.open_raw(room, token=alice.access)))[1] == 4403


async def test_room_name_that_is_no_id_is_refused_4400(site: Site) -> None:
    alice = site.person("alice")
    assert (await refusal(await site.open_raw("not-an-id", token=alice.access)))[1] == 4400


@pytest.mark.parametrize("kind", ["none", "garbage", "refresh", "forged"])
async def test_without_a_good_access_token_is_refused_4401(site: Site, kind: str) -> None:
    alice = site.person("alice")
    room = alice.create_room()
    header, payload, signature = alice.access.split(".")
    tokens = {
        "none": "",
        "garbage": "not-a-token",
        "refresh": alice.refresh,
        "forged": ".".join([header, payload, signature[::-1]]),
    }
    for name in (room, str(uuid.uuid4())):
        reason, code, _ = await refusal(await site.open_raw(name, token=tokens[kind], process=1))
        assert code == 4401
        assert reason


async def assert_opens(socket: RawSocket) -> None:
    await socket.send(frames.sync_step_1())
    await socket.wait_frame("0001")


def ways_to_send(token: str) -> dict[str, dict[str, Any]]:
    return {
        "header": {"headers": {"Authorization": f"Bearer {token}"}},
        "subprotocols": {"protocols": ["yjs", token]},
        "query": {"query": f"?token={token}"},
    }


@pytest.mark.parametrize("way", ["header", "subprotocols", "query"])
async def test_token_is_taken_from_each_place(site: Site, way: str) -> None:
    alice = site.person("alice")
    socket = await site.open_raw(alice.create_room(), **ways_to_send(alice.access)[way])
    await assert_opens(socket)
    assert socket.protocol == ("yjs" if way == "subprotocols" else "")


@pytest.mark.parametrize(
    ("first", "second"), [("header", "subprotocols"), ("header", "query"), ("subprotocols", "query")]
)
async def test_token_found_first_decides_alone(site: Site, first: str, second: str) -> None:
    alice = site.person("alice")
    room = alice.create_room()
    good, bad = ways_to_send(alice.access), ways_to_send("not.a.token")
    await assert_opens(await site.open_raw(room, **good[first], **bad[second]))
    assert (await refusal(await site.open_raw(room, **bad[first], **good[second])))[1] == 4401


async def test_origin_of_another_site_is_refused_by_http_403(site: Site) -> None:
    alice = site.person("alice")
    room = alice.create_room()
    for origin in ("https://evil.example", "null", f"{site.server().url}.evil.example"):
        socket = await site.open_raw(room, token=alice.access, headers={"Origin": origin})
        assert socket.status == 403, origin


async def test_origin_of_the_server_itself_and_none_at_all_pass(site: Site) -> None:
    alice = site.person("alice")
    room = alice.create_room()
    own = await site.open_raw(room, token=alice.access, headers={"Origin": site.server().url})
    await assert_opens(own)
    await assert_opens(await site.open_raw(room, token=alice.access))
