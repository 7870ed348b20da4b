"""The page in windows of a real Chromium: one profile for each person, as many windows as one likes."""

from __future__ import annotations

import asyncio
import itertools
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Locator, Page, expect

from tests.support.api import Person
from tests.support.missing import MissingError
from tests.support.server import ROOT, Server

WAIT_MS = 15_000
RICH_TEXT, CODE = "rich-text", "code"
HOCUSPOCUS = "hocuspocus"
_PAGE = ROOT / "frontend" / "dist" / "index.html"
_SCRIPT = Path(__file__).with_name("window.js")
#: What the browser itself says when a server is away or says no: the tests see to that elsewhere.
_NETWORK = re.compile(r"^(Failed to load resource: |WebSocket connection to )")

expect.set_options(timeout=WAIT_MS)


def find_chromium() -> str:
    """The path of the system's Chromium or Chrome.

    Raises:
        MissingError: there is none, or no page to show in it.
    """
    if not _PAGE.exists():
        raise MissingError("the page is not built (make frontend)")
    names = ("chromium", "chromium-browser", "google-chrome")
    if found := next(filter(None, map(shutil.which, names)), None):
        return found
    raise MissingError("Chromium is not installed (Debian: apt-get install chromium)")


def people(server: Server, *names: str) -> list[Person]:
    """New accounts, each with an organization of its own."""
    return [Person.register(server.url, name) for name in names]


def room_of(owner: Person, *editors: Person, kind: str = RICH_TEXT, name: str = "Plans") -> str:
    """The id of a new room in the owner's organization."""
    body = {"organization": owner.organization(), "name": name, "kind": kind}
    room = str(owner.request("POST", "rooms/", json=body)["id"])
    for editor in editors:
        owner.share(room, editor)
    return room


class Window:
    """One window of somebody: what they do in it, and what they see."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sockets: list[str] = []
        page.on("websocket", lambda socket: self.sockets.append(socket.url))

    @property
    def editor(self) -> Locator:
        return self.page.locator(".ProseMirror, .cm-content")

    @property
    def badge(self) -> Locator:
        return self.page.locator(".badge", has_text="View only")

    async def go(self, path: str) -> None:
        await self.page.goto(path)

    async def open(self, room: str) -> None:
        """Open a room, and wait until its content is there and everything of it is saved."""
        await self.go(f"/rooms/{room}")
        await expect(self.editor).to_be_visible()
        await self.wait_status("Saved")

    async def type(self, words: str, *, delay_ms: float = 0) -> None:
        """Type at the end of the text; the status has heard of it at the end."""
        await self.editor.focus()
        await self.page.keyboard.press("Control+End")
        await self.page.keyboard.type(words, delay=delay_ms)
        await self.page.evaluate("drawn()")

    @asynccontextmanager
    async def typing(self) -> AsyncIterator[None]:
        """Type `0 1 2 …` without a pause, the last number to its end, whatever becomes of the editor."""
        numbers = itertools.count()
        is_over = asyncio.Event()

        async def type_on() -> None:
            while not is_over.is_set():
                await self.page.keyboard.type(f"{next(numbers)} ", delay=10)

        await self.editor.focus()
        task = asyncio.create_task(type_on())
        try:
            yield
        finally:
            is_over.set()
            with suppress(Error):  # the window may be gone
                await task

    async def text(self) -> str:
        """What the editor shows."""
        return str(await self.page.evaluate("roomText()"))

    async def wait_text(self, words: str) -> None:
        """Wait until the editor shows these words."""
        await self.page.wait_for_function("words => roomText()?.includes(words)", arg=words, timeout=WAIT_MS)

    async def wait_same_text(self, other: Window) -> str:
        """Wait until both windows show the same; what it is."""
        text = ""
        for _ in range(50):  # the other one may go on changing: what it shows is asked for again
            text = await other.text()
            with suppress(Error):
                await self.page.wait_for_function(
                    "text => roomText() === text", arg=text, timeout=WAIT_MS / 50
                )
                return text
        raise AssertionError(f"{await self.text()!r} is not {text!r}")

    async def wait_status(self, text: str) -> None:
        await expect(self.page.locator(".status-text")).to_have_text(text)

    async def value(self, name: str) -> Any:
        """A variable of `window.js`."""
        return await self.page.evaluate(name)

    async def use(self, protocol: str) -> None:
        """Choose the protocol in the menu of the status."""
        await self.page.get_by_role("button", name="Connection").click()
        await self.page.get_by_role("menuitemradio", name=protocol).click()


class Windows:
    """All windows of a test; at its end `check` tells what their consoles held against them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    async def profile(
        self, server: Server, person: Person | None = None, *, protocol: str = "", **options: Any
    ) -> BrowserContext:
        """A profile of its own, signed in as this person; `options` as of `Browser.new_context`."""
        kept = {"gatehouse.protocol": protocol} if protocol else {}
        if person is not None:
            person.sign_in()  # a refresh token is good once: each profile has its own
            kept["gatehouse.refresh"] = person.refresh
        items = [{"name": name, "value": value} for name, value in kept.items()]
        context = await self._browser.new_context(
            base_url=server.url,
            reduced_motion="reduce",
            storage_state={"cookies": [], "origins": [{"origin": server.url, "localStorage": items}]},
            **options,
        )
        context.set_default_timeout(WAIT_MS)
        await context.add_init_script(path=_SCRIPT)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        self._contexts.append(context)
        return context

    async def window(self, server: Server, person: Person | None = None, **options: Any) -> Window:
        """A window in a new profile of this person."""
        return Window(await (await self.profile(server, person, **options)).new_page())

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()

    def check(self) -> None:
        """Nothing was refused by the content security policy, and no script failed."""
        assert not self.complaints, "\n".join(self.complaints)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not _NETWORK.match(message.text):
            self.complaints.append(f"{message.type}: {message.text}")
