"""What somebody sees whose access is given, lowered or taken away while they type."""

from __future__ import annotations

import asyncio

from playwright.async_api import expect

from tests.browser.conftest import kinds, protocols
from tests.browser.windows import Window, Windows, people, room_of
from tests.support.server import Server


async def test_a_room_that_is_shared_by_e_mail_is_found_and_opened(server: Server, windows: Windows) -> None:
    ada, bob = people(server, "Ada", "Bob")
    room = room_of(ada, name="Launch notes")
    hers, his = await windows.window(server, ada), await windows.window(server, bob)
    await his.go("/")
    await expect(his.page.get_by_text("No rooms yet")).to_be_visible()
    await hers.open(room)
    await hers.type("for Bob")
    await hers.page.get_by_role("button", name="Share").click()
    dialog = hers.page.get_by_role("dialog")
    await dialog.get_by_role("combobox", name="Add people or groups").fill(bob.email)
    await dialog.get_by_role("button", name="Add", exact=True).click()
    await expect(dialog.get_by_role("listitem").filter(has_text=bob.email)).to_be_visible()
    await his.page.reload()
    await his.page.get_by_role("link", name="Launch notes").click()
    await his.wait_text("for Bob")
    await expect(his.editor).to_be_editable()


@kinds
async def test_who_is_lowered_while_typing_sees_a_badge_and_types_no_more(
    kind: str, server: Server, windows: Windows
) -> None:
    ada, bob = people(server, "Ada", "Bob")
    room = room_of(ada, kind=kind)
    member = ada.share(room, bob)
    hers, his = await windows.window(server, ada), await windows.window(server, bob)
    await asyncio.gather(hers.open(room), his.open(room))
    await expect(his.badge).to_have_count(0)
    async with his.typing():
        await hers.wait_text("2 3 ")
        ada.change_role(room, member, "viewer")
        await expect(his.badge).to_be_visible()
        await expect(his.editor).to_have_attribute("contenteditable", "false")
    await his.page.keyboard.type("too late")
    await _round_trip(hers)
    await his.wait_text("written after")
    assert "too late" not in await his.text()
    assert "too late" not in await hers.text()


@protocols
async def test_who_is_revoked_while_typing_has_an_empty_page_and_their_words_stop(
    protocol: str, server: Server, windows: Windows
) -> None:
    ada, bob = people(server, "Ada", "Bob")
    room = room_of(ada)
    member = ada.share(room, bob)
    hers, his = await windows.window(server, ada), await windows.window(server, bob, protocol=protocol)
    await asyncio.gather(hers.open(room), his.open(room))
    await hers.type("not for everyone ")
    await his.wait_text("not for everyone")
    async with his.typing():
        await hers.wait_text("2 3 ")
        ada.revoke(room, member)
        alert = his.page.get_by_role("alert")
        await expect(alert).to_contain_text("Your access to this room was taken away")
        await _round_trip(hers)
        before = await hers.text()
        await _round_trip(hers)
        assert (await hers.text()).replace("written after", "") == before.replace("written after", "")
    await expect(his.editor).to_have_count(0)
    assert "not for everyone" not in await his.page.content()
    await his.go("/")
    await expect(his.page.get_by_text("No rooms yet")).to_be_visible()


async def _round_trip(window: Window) -> None:
    """What others sent before this has arrived."""
    await window.type("written after")
    await window.wait_status("Saved")
