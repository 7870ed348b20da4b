"""Cases for two clients, each of any kind."""

from __future__ import annotations

from collab.engine.identity import color_of
from tests.e2e.compatibility.stage import Y3, Kind, Stage, wait_saved
from tests.support.hocuspocus import HocuspocusProvider

LARGE_BYTES = 2_000_000
WORDS = "協作 שלום 👩‍👩‍👧‍👦 "


async def newcomer_finds_everything(stage: Stage, writer: Kind, reader: Kind) -> None:
    """When it is synced, and not some time later."""
    room, _ = await stage.shared_room("viewer")
    one = await stage.join_echoed(writer, stage.owner, room)
    await one.edit(
        ("text.insert", 0, WORDS),
        ("text.format", 0, 2, {"bold": True}),
        ("map.set", "nested", {"$map": {"key": [1, None, True]}}),
        ("array.insert", 0, [1, {"$text": "text"}]),
        ("xml.insert", [], 0, [{"tag": "p", "attributes": {"lang": "he"}, "children": [WORDS]}]),
    )
    await wait_saved(one)
    late = await stage.join(reader, stage.other, room)
    assert await late.read() == await one.read()


async def edits_go_both_ways(stage: Stage, first: Kind, second: Kind) -> None:
    room, _ = await stage.shared_room()
    one, two = await stage.join(first, stage.owner, room), await stage.join(second, stage.other, room)
    await one.edit(("text.insert", 0, "one "))
    await two.wait_content("text", "one ")
    await two.edit(("text.insert", 4, "two "))
    await one.wait_content("text", "one two ")
    await one.edit_at_once(
        [("text.delete", 0, 4), ("map.set", "both", 1)],
        two,
        [("text.insert", 8, WORDS), ("map.set", "both", 2)],
    )
    await one.wait_equal(two)
    content = await one.read()
    assert content == await two.read()
    assert content["text"] == f"two {WORDS}"


async def presence_is_seen_changed_and_gone(stage: Stage, shown: Kind, watching: Kind) -> None:
    room, _ = await stage.shared_room("viewer")
    one, two = await stage.join(shown, stage.other, room), await stage.join(watching, stage.owner, room)
    user = {"id": stage.other.id, "name": stage.other.name, "color": color_of(stage.other.id)}
    await one.set_awareness({"cursor": 1, "user": {"name": "Mallory", "id": stage.owner.id}})
    await two.wait_awareness(one.client, {"cursor": 1, "user": user})
    await one.set_awareness({"cursor": 2})
    await two.wait_awareness(one.client, {"cursor": 2, "user": user})
    await one.disconnect()
    await two.wait_awareness(one.client, None)


async def edits_made_offline_are_merged(stage: Stage, away: Kind, stays: Kind) -> None:
    """And nothing goes past the server: no client speaks to the others of its process."""
    room, _ = await stage.shared_room()
    one, two = await stage.join(away, stage.owner, room), await stage.join(stays, stage.other, room)
    await one.edit(("text.insert", 0, "shared"), ("map.set", "old", 1))
    await two.wait_equal(one)
    await one.disconnect()
    await one.edit(("text.insert", 6, " offline"), ("map.delete", "old"))
    await two.edit(("text.insert", 0, "online "))
    assert await one.text() == "shared offline"
    assert await two.text() == "online shared"
    await one.connect()
    await one.wait_equal(two)
    assert (await two.read())["map"] == {}
    assert await two.text() == "online shared offline"
    if isinstance(one, HocuspocusProvider):
        await one.wait_saved()


async def large_document_arrives(stage: Stage, writer: Kind, reader: Kind) -> None:
    room, _ = await stage.shared_room("viewer")
    one = await stage.join_echoed(writer, stage.owner, room)
    two = await stage.join(reader, stage.other, room)
    numbers = "".join(f"{number} " for number in range(LARGE_BYTES // 8))
    await one.edit(("text.insert", 0, numbers + "x" * (LARGE_BYTES - len(numbers))))
    await wait_saved(one)
    await two.wait_equal(one)
    late = await stage.join(reader, stage.other, room)
    for client in (two, late):
        text = await client.text()
        assert len(text) == LARGE_BYTES
        assert text.startswith(numbers)


async def stateless_reaches_hocuspocus_alone(stage: Stage, sender: Kind, receiver: Kind) -> None:
    room, _ = await stage.shared_room()
    one, two = await stage.join(sender, stage.owner, room), await stage.join(receiver, stage.other, room)
    other = await stage.join(Y3, stage.owner, room)
    assert isinstance(one, HocuspocusProvider)
    assert isinstance(two, HocuspocusProvider)
    await one.send_stateless('{"saved": true}')
    await two.wait_stateless('{"saved": true}')
    await one.edit(("text.insert", 0, "goes on"))
    await other.wait_equal(one, two)
    for client, unseen in ((one, "stateless"), (other, "error")):
        assert unseen not in {event["type"] for event in await client.events()}
