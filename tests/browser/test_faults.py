"""Nothing that was typed is lost when the server goes, the tab goes, or a token ends."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from playwright.async_api import Dialog, Error, expect

from tests.browser.conftest import NewServer, protocols
from tests.browser.windows import CODE, HOCUSPOCUS, Window, Windows, people, room_of
from tests.support.server import Server

#: Of the tests of renewal: long enough for a busy machine, and over several times within a test.
LIFETIME_S = 5


async def _wait_saved_under_typing(window: Window) -> None:
    await window.page.wait_for_function("() => savedText?.includes('4 5 ')")


async def test_what_was_typed_while_the_server_was_away_is_sent_when_it_is_back(
    new_server: NewServer, windows: Windows
) -> None:
    server = new_server()
    ada, bob = people(server, "Ada", "Bob")
    room = room_of(ada, bob, kind=CODE)
    hers, his = await windows.window(server, ada), await windows.window(server, bob, protocol=HOCUSPOCUS)
    await asyncio.gather(hers.open(room), his.open(room))
    await hers.value("watchStatus()")
    async with hers.typing():
        await _wait_saved_under_typing(hers)
        for end in (server.terminate, server.kill):
            await asyncio.to_thread(end)
            await hers.wait_status("Reconnecting…")
            await asyncio.to_thread(server.start)
            await his.wait_status("Saved")
            await hers.page.wait_for_function("() => /^Sav/.test(statusText())")
    await hers.wait_status("Saved")
    text = await hers.text()
    numbers = [int(number) for number in text.split()]
    assert numbers == list(range(len(numbers)))
    assert await his.wait_same_text(hers) == text


async def test_what_showed_as_saved_survives_kill_9_of_server_and_window(
    new_server: NewServer, windows: Windows
) -> None:
    server = new_server()
    (ada,) = people(server, "Ada")
    room = room_of(ada, kind=CODE)
    profile = await windows.profile(server, ada)
    hers = Window(await profile.new_page())
    await hers.open(room)
    await hers.value("watchStatus()")
    async with hers.typing():
        await _wait_saved_under_typing(hers)
        os.kill(server.pid, signal.SIGSTOP)  # what is typed from now on can't be saved
        length = len(await hers.text())
        await hers.page.wait_for_function("length => roomText().length > length + 10", arg=length)
        saved = await hers.value("savedText")
        await asyncio.to_thread(server.kill)
        await profile.close()
    await asyncio.to_thread(server.start)
    newcomer = await windows.window(server, ada)
    await newcomer.open(room)
    assert (await newcomer.text()).startswith(saved)


@protocols
async def test_a_tab_that_is_closed_unsaved_asks_and_its_words_come_back(
    protocol: str, new_server: NewServer, windows: Windows
) -> None:
    server = new_server()
    (ada,) = people(server, "Ada")
    room = room_of(ada)
    profile = await windows.profile(server, ada, protocol=protocol)
    hers = Window(await profile.new_page())
    await hers.open(room)
    await hers.type("saved before, ")
    await hers.wait_status("Saved")
    server.kill()
    await hers.type("not yet saved")
    asked: list[str] = []

    async def close(dialog: Dialog) -> None:
        asked.append(dialog.type)
        with suppress(Error):  # it goes with its window
            await dialog.accept()

    hers.page.on("dialog", close)
    async with hers.page.expect_event("close"):
        await hers.page.close(run_before_unload=True)
    assert asked == ["beforeunload"]
    server.start()
    again = Window(await profile.new_page())
    await again.open(room)
    await again.wait_text("saved before, not yet saved")
    await again.wait_status("Saved")
    elsewhere = await windows.window(server, ada)
    await elsewhere.open(room)
    assert await elsewhere.text() == "saved before, not yet saved"


async def test_a_saved_tab_closes_without_a_question(server: Server, windows: Windows) -> None:
    (ada,) = people(server, "Ada")
    hers = await windows.window(server, ada)
    await hers.open(room_of(ada))
    await hers.type("saved")
    await hers.wait_text("saved")
    await hers.wait_status("Saved")
    asked: list[str] = []
    hers.page.on("dialog", lambda dialog: asked.append(dialog.type))
    async with hers.page.expect_event("close"):
        await hers.page.close(run_before_unload=True)
    assert asked == []


async def test_tokens_are_renewed_without_anybody_noticing(new_server: NewServer, windows: Windows) -> None:
    server = new_server(ACCESS_TOKEN_LIFETIME_S=str(LIFETIME_S))
    ada, bob = people(server, "Ada", "Bob")
    room = room_of(ada, bob, kind=CODE)
    hers, his = await windows.window(server, ada), await windows.window(server, bob, protocol=HOCUSPOCUS)
    await asyncio.gather(hers.open(room), his.open(room))
    await asyncio.gather(*(_wait_renewed_twice_under_typing(window) for window in (hers, his)))
    assert await his.wait_same_text(hers) == await hers.text()
    for window in (hers, his):
        assert set(await window.value("statusesShown")) <= {"Saved", "Saving…"}
        assert len(window.sockets) == 1
        await expect(window.editor).to_be_editable()


async def _wait_renewed_twice_under_typing(window: Window) -> None:
    """Each comes after two thirds of a lifetime: the token that the room was opened with is over."""
    renewals = asyncio.Semaphore(0)
    window.page.on("response", lambda answer: renewals.release() if "token/refresh" in answer.url else None)
    await window.value("watchStatus()")
    async with window.typing():
        for _ in range(2):
            await asyncio.wait_for(renewals.acquire(), LIFETIME_S * 2)
    await window.wait_status("Saved")
