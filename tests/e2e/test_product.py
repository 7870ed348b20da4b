"""The product in one sentence, on every kind of installation: sign in, edit together, share, take away."""

from __future__ import annotations

import time

from tests.e2e.conftest import everywhere
from tests.support.site import Site

KICKED_WITHIN_S = 1.0


@everywhere
async def test_access_given_and_taken_by_rest_opens_and_closes_the_live_document(site: Site) -> None:
    alice, bob, carol, admin = site.people("alice", "bob", "carol", "admin")
    organization = alice.create_organization()
    alice.add_to_organization(organization, admin, "admin")
    room = alice.create_room("Minutes", organization=organization)
    alice.share(room, bob, "editor")

    first = await site.join(alice, room)
    second = await site.join(bob, room, process=1)
    await first.edit(("text.insert", 0, "hello "))
    await second.wait_equal(first)
    await second.edit(("text.insert", 6, "world"))
    await first.wait_equal(second)

    refused = await site.open(carol, room, process=1)
    await refused.wait_closed(4403)

    member = alice.share(room, carol, "editor")
    third = await site.join(carol, room, process=1)
    await third.edit(("text.insert", 11, "!"))
    await first.wait_content("text", "hello world!")

    admin.revoke(room, member)
    revoked_at = time.monotonic()
    await third.wait_event("closed", code=4403)
    assert time.monotonic() - revoked_at < KICKED_WITHIN_S

    state = await third.state()
    assert not state["should_connect"], "y-websocket 3.1 must not come back after 4403"
    assert state["connections"] == 1
    await first.edit(("text.insert", 12, " (without carol)"))
    await second.wait_equal(first)
    assert await third.text() == "hello world!"
