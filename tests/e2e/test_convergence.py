"""Real clients end with the same document, whatever they edit and whenever they are there."""

from __future__ import annotations

import asyncio

from tests.e2e.conftest import everywhere
from tests.support import frames
from tests.support.providers import Provider
from tests.support.site import Site

FAMILY = "👩‍👩‍👧‍👦"
COMBINING = "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢"
HEBREW = "שלום עולם"
ARABIC = "مرحبا بالعالم"
CJK = "協作編輯器。コラボ。협업"
OUTSIDE_THE_BASIC_PLANE = "𝒳𐍈🏴󠁧󠁢󠁳󠁣󠁴󠁿"


async def two_editors(site: Site) -> tuple[Provider, Provider, str]:
    alice, bob = site.people("alice", "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    return *await asyncio.gather(site.join(alice, room), site.join(bob, room, process=1)), room


@everywhere
async def test_text_edited_by_two_at_once_converges(site: Site) -> None:
    one, two, _ = await two_editors(site)
    await one.edit(("text.insert", 0, f"{HEBREW} {FAMILY}"))
    await two.wait_equal(one)
    await one.edit_at_once(
        [("text.insert", 0, COMBINING), ("text.format", 0, 4, {"bold": True})],
        two,
        [
            ("text.delete", 0, 3),
            ("text.insert", 0, CJK),
            ("text.insert", 0, ARABIC + OUTSIDE_THE_BASIC_PLANE),
        ],
    )
    await one.wait_equal(two)
    content = await one.read()
    assert content == await two.read()
    for words in (COMBINING, CJK, ARABIC, OUTSIDE_THE_BASIC_PLANE, FAMILY):
        assert words in content["text"]
    assert any(run.get("attributes") == {"bold": True} for run in content["delta"])


@everywhere
async def test_map_set_and_deleted_by_two_converges(site: Site) -> None:
    one, two, _ = await two_editors(site)
    await one.edit(("map.set", FAMILY, {"$map": {CJK: [1, None, True, 1.5]}}), ("map.set", "gone", 1))
    await two.wait_equal(one)
    await one.edit_at_once(
        [("map.set", "both", "from one"), ("map.delete", "gone")],
        two,
        [("map.set", "both", "from two"), ("map.set", HEBREW, {"nested": ARABIC})],
    )
    await one.wait_equal(two)
    content = (await one.read())["map"]
    assert content == (await two.read())["map"]
    assert content[FAMILY] == {CJK: [1, None, True, 1.5]}
    assert content[HEBREW] == {"nested": ARABIC}
    assert content["both"] in {"from one", "from two"}
    assert "gone" not in content


@everywhere
async def test_array_edited_by_two_at_once_converges(site: Site) -> None:
    one, two, _ = await two_editors(site)
    await one.edit(("array.insert", 0, [1, FAMILY, {"$text": HEBREW}, {"$array": [CJK]}]))
    await two.wait_equal(one)
    await one.edit_at_once(
        [("array.delete", 0, 1), ("array.insert", 0, ["one"])],
        two,
        [("array.insert", 4, ["two", {"plain": ARABIC}])],
    )
    await one.wait_equal(two)
    content = (await one.read())["array"]
    assert content == ["one", FAMILY, HEBREW, [CJK], "two", {"plain": ARABIC}]
    assert content == (await two.read())["array"]


@everywhere
async def test_xml_edited_by_two_at_once_converges(site: Site) -> None:
    one, two, _ = await two_editors(site)
    paragraph = {"tag": "paragraph", "attributes": {"lang": "he"}, "children": [HEBREW, {"tag": "br"}]}
    await one.edit(("xml.insert", [], 0, [paragraph, {"tag": "rule"}]))
    await two.wait_equal(one)
    await one.edit_at_once(
        [("xml.text", [0, 0], 0, FAMILY), ("xml.attribute", [0], "lang", CJK)],
        two,
        [("xml.insert", [0], 2, [ARABIC]), ("xml.delete", [], 1, 1)],
    )
    await one.wait_equal(two)
    content = (await one.read())["xml"]
    assert content == f'<paragraph lang="{CJK}">{FAMILY}{HEBREW}<br></br>{ARABIC}</paragraph>'
    assert content == (await two.read())["xml"]


async def test_late_joiner_gets_the_whole_document_in_the_first_sync_step_2(site: Site) -> None:
    one, two, room = await two_editors(site)
    for number in range(30):
        await one.edit(("text.insert", 0, f"{number} {FAMILY} "), ("map.set", "count", number))
    await one.edit(("text.delete", 0, 5), ("array.insert", 0, [HEBREW]))
    await two.wait_equal(one)

    late = await site.join(site.person("bob"), room, process=1)
    first = next(frame for frame in await late.frames() if frame.startswith("0001"))
    received = await site.node.read_updates([frames.payload_of(first)])
    assert not received["pending"]
    assert received["content"] == await one.read()


async def test_edits_made_offline_on_both_sides_merge_after_reconnect(site: Site) -> None:
    one, two, room = await two_editors(site)
    await one.edit(("text.insert", 0, "shared"), ("map.set", "old", 1))
    await two.wait_equal(one)
    await two.disconnect()
    await two.edit(("text.insert", 6, f" offline {FAMILY}"), ("map.delete", "old"))
    await one.edit(("text.insert", 0, f"online {CJK} "), ("array.insert", 0, [1]))
    await two.connect()
    await one.wait_equal(two)
    content = await one.read()
    assert content["text"] == f"online {CJK} shared offline {FAMILY}"
    assert content["map"] == {}
    assert await site.content_for_newcomer(site.person("alice"), room) == content


async def test_deletion_made_offline_alone_reaches_the_others_after_reconnect(site: Site) -> None:
    """A deletion does not move the state vector: only the delete set tells of it."""
    one, two, _ = await two_editors(site)
    await one.edit(("text.insert", 0, "keep drop"))
    await two.wait_equal(one)
    await two.disconnect()
    await two.edit(("text.delete", 4, 5))
    await two.connect()
    await one.wait_content("text", "keep")
    await one.disconnect()
    await two.edit(("text.delete", 0, 2))
    await one.connect()
    await one.wait_content("text", "ep")
