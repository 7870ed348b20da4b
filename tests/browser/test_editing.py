"""Several windows in one room: they converge, see each other, and lose nothing offline."""

from __future__ import annotations

import asyncio
import statistics
from string import ascii_lowercase, ascii_uppercase, digits

from playwright.async_api import expect

from tests.browser.conftest import kinds, protocols
from tests.browser.windows import HOCUSPOCUS, Window, Windows, people, room_of
from tests.support.server import Server


@kinds
async def test_three_windows_that_type_at_once_show_the_same(
    kind: str, server: Server, windows: Windows
) -> None:
    ada, bob, cleo = people(server, "Ada", "Bob", "Cleo")
    room = room_of(ada, bob, cleo, kind=kind)
    typists = [
        (await windows.window(server, ada), ascii_lowercase),
        (await windows.window(server, bob, protocol=HOCUSPOCUS), ascii_uppercase),
        (await windows.window(server, cleo), digits * 2),
    ]
    await asyncio.gather(*(window.open(room) for window, _ in typists))
    await typists[0][0].type("-")
    await asyncio.gather(*(window.wait_text("-") for window, _ in typists))
    await asyncio.gather(*(window.type(letters, delay_ms=15) for window, letters in typists))
    for window, _ in typists:
        await window.wait_status("Saved")
    text = await typists[0][0].wait_same_text(typists[1][0])
    assert text == await typists[2][0].wait_same_text(typists[1][0])
    assert len(text) == 1 + sum(len(letters) for _, letters in typists)
    for _, letters in typists:
        assert "".join(character for character in text if character in letters) == letters


@kinds
async def test_the_other_window_shows_who_is_there_and_where(
    kind: str, server: Server, windows: Windows
) -> None:
    ada, bob = people(server, "Ada", "Bob")
    room = room_of(ada, bob, kind=kind)
    hers, his = await windows.window(server, ada), await windows.window(server, bob, protocol=HOCUSPOCUS)
    await asyncio.gather(hers.open(room), his.open(room))
    for window, other, name in ((hers, his, "Bob"), (his, hers, "Ada")):
        await expect(window.page.get_by_role("list", name="Here now")).to_have_text(name)
        await other.type("x")
        await expect(window.page.locator(".caret")).to_contain_text(name)
    await his.page.close()
    await expect(hers.page.locator(".caret")).to_have_count(0)
    await expect(hers.page.get_by_role("list", name="Here now")).to_have_count(0)


async def test_the_protocol_is_changed_under_the_text(server: Server, windows: Windows) -> None:
    ada, bob = people(server, "Ada", "Bob")
    room = room_of(ada, bob)
    hers, his = await windows.window(server, ada), await windows.window(server, bob)
    await asyncio.gather(hers.open(room), his.open(room))
    for protocol, words, path in (("Hocuspocus", "one ", "/collaboration"), ("y-websocket", "two ", "/ws/")):
        await hers.use(protocol)
        await hers.type(words)
        await his.wait_text(words)
        await hers.wait_status("Saved")
        assert path in hers.sockets[-1]


@protocols
async def test_what_both_wrote_while_one_was_offline_is_there_on_return(
    protocol: str, server: Server, windows: Windows
) -> None:
    ada, bob = people(server, "Ada", "Bob")
    room = room_of(ada, bob)
    hers, his = await windows.window(server, ada, protocol=protocol), await windows.window(server, bob)
    await asyncio.gather(hers.open(room), his.open(room))
    await hers.page.context.set_offline(True)
    await hers.wait_status("Offline")
    await hers.type("written far from the net ")
    await his.type("written at home ")
    await his.wait_status("Saved")
    assert "home" not in await hers.text(), "the window was not offline"
    assert "far" not in await his.text(), "the window was not offline"
    await hers.page.context.set_offline(False)
    await hers.wait_status("Saved")
    text = await hers.wait_same_text(his)
    assert "written far from the net" in text
    assert "written at home" in text


@kinds
async def test_times_until_one_can_type_and_until_others_see_it(
    kind: str, server: Server, windows: Windows, measured: list[str]
) -> None:
    ada, bob = people(server, "Ada", "Bob")
    room = room_of(ada, bob, kind=kind)
    usable = []
    hers, his = await windows.window(server, ada), await windows.window(server, bob)
    for window in (hers, his):
        await window.open(room)
        usable.append(await window.value("usableAfterMs"))
    delays = await _delays(hers, his, "the quick brown fox jumps over the lazy dog")
    measured.append(
        f"{kind}: first usable editor after {min(usable):.0f} to {max(usable):.0f} ms; "
        f"a keystroke is in the other window after {statistics.median(delays):.0f} ms (p50), "
        f"{statistics.quantiles(delays, n=20)[-1]:.0f} ms (p95)"
    )


async def _delays(typing: Window, watching: Window, words: str) -> list[float]:
    """Milliseconds from each key in one window to its character in the other."""
    await typing.editor.focus()
    await typing.value("noteKeys()")
    await watching.value("noteCharacters()")
    await typing.page.keyboard.type(words, delay=30)
    await watching.wait_text(words)
    pressed, seen = await typing.value("times"), await watching.value("times")
    delays = [after - before for before, after in zip(pressed, seen, strict=False)]
    assert len(delays) >= len(words)
    assert min(delays) > 0
    return delays
