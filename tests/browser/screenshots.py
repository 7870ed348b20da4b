"""The pictures of the page in `docs/images/`: `make screenshots`.

A server of its own, people who write together in real windows, and each page in both themes.
"""

from __future__ import annotations

import asyncio
import base64
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import async_playwright, expect

from collab.engine.identity import PALETTE, color_of
from tests.browser.windows import CODE, RICH_TEXT, Window, Windows, find_chromium
from tests.support.api import PASSWORD, Person
from tests.support.databases import SqliteDatabases
from tests.support.server import ROOT, Server

IMAGES = ROOT / "docs" / "images"
VIEW = {"width": 1440, "height": 900}
SCALE = 2
QUALITY = 90
MAX_BYTES = 250_000
THEMES = ("light", "dark")

#: Oldest first; those of Jonas are in an organization of his.
ROOMS = (
    ("Ada", RICH_TEXT, "Onboarding"),
    ("Jonas", RICH_TEXT, "Field notes, autumn"),
    ("Ada", RICH_TEXT, "Interview questions"),
    ("Ada", CODE, "pricing.sql"),
    ("Jonas", CODE, "tides.ts"),
    ("Ada", RICH_TEXT, "Pricing experiment"),
    ("Ada", RICH_TEXT, "Retrospective, sprint 14"),
    ("Ada", CODE, "rate_limiter.py"),
    ("Ada", RICH_TEXT, "Lighthouse 2.0"),
)
#: Of the rooms, by how long ago they were made.
AGES_DAYS = (61, 34, 20, 15, 9, 6, 2, 1, 0)
#: Colours of presence that are next to each other are of one hue.
HUE = 4

NOTES = """
<h1>Launch plan</h1>
<p>We open to everybody on <strong>Tuesday, 10 March</strong>. Until then this is the one place where
decisions live; whatever is only in the chat <em>does not count</em>.</p>
<h2>Before we open the doors</h2>
<ul data-type="taskList">
<li data-type="taskItem" data-checked="true"><p>Load test with 5,000 readers in one room</p></li>
<li data-type="taskItem" data-checked="true"><p>Migrate the pilot customers, with a way back</p></li>
<li data-type="taskItem" data-checked="false"><p>Final copy for the pricing page</p></li>
<li data-type="taskItem" data-checked="false"><p>Rehearse the rollback on staging</p></li>
</ul>
<h2>Who does what</h2>
<table><tbody>
<tr><th><p>Part</p></th><th><p>Owner</p></th><th><p>Due</p></th></tr>
<tr><td><p>Release notes</p></td><td><p>Ben</p></td><td><p>4 March</p></td></tr>
<tr><td><p>Status page and alerts</p></td><td><p>Mira</p></td><td><p>6 March</p></td></tr>
</tbody></table>
<blockquote><p>Ship the smallest thing that we are proud of, then listen.</p></blockquote>
<h2>If it goes wrong</h2>
<ol>
<li><p>Mira sets the <code>launch</code> flag to <code>off</code>: no deployment is needed for that.</p></li>
<li><p>Ben tells the pilot customers within ten minutes, from the status page.</p></li>
</ol>
"""

LIMITER = '''"""A token bucket for each client: short bursts pass, floods do not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class TokenBucket:
    """Takes up to `capacity` requests at once, and `per_second` in the long run."""

    capacity: float
    per_second: float
    clock: Callable[[], float] = time.monotonic
    _tokens: float = field(init=False)
    _updated_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = self.capacity
        self._updated_at = self.clock()

    def take(self, count: float = 1) -> bool:
        """Whether `count` requests may pass now; if so, they are counted."""
        now = self.clock()
        elapsed = now - self._updated_at
        self._tokens = min(self.capacity, self._tokens + elapsed * self.per_second)
        self._updated_at = now
        if self._tokens < count:
            return False
        self._tokens -= count
        return True
'''

_PASTE = """([html, text]) => {
  const clipboardData = new DataTransfer()
  if (html) clipboardData.setData('text/html', html)
  clipboardData.setData('text/plain', text)
  const editor = document.querySelector('.ProseMirror, .cm-content')
  editor.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }))
}"""


class Studio:
    """People who write together, each with windows of their own, and their rooms by name."""

    def __init__(self, server: Server, windows: Windows) -> None:
        self.server = server
        self.windows = windows
        self.people: dict[str, Person] = {}
        for name in ("Ada Okafor", "Ben Castellanos", "Mira Tanaka", "Jonas Weber"):
            self.people[name.split(maxsplit=1)[0]] = self._register(name)
        self.ada, self.jonas = self.people["Ada"], self.people["Jonas"]
        self.organization = _own_organization(self.ada, "Northwind Press")
        harbor = _own_organization(self.jonas, "Harbor Labs")
        for name in ("Ben", "Mira", "Jonas"):
            self.ada.add_to_organization(self.organization, self.people[name])
        self.jonas.add_to_organization(harbor, self.ada)
        self.rooms: dict[str, str] = {}
        for owner, kind, name in ROOMS:
            organization = self.organization if owner == "Ada" else harbor
            body = {"organization": organization, "name": name, "kind": kind}
            self.rooms[name] = str(self.people[owner].request("POST", "rooms/", json=body)["id"])
        self.jonas.open_to_organization(self.rooms["Field notes, autumn"], "viewer")
        self.jonas.open_to_organization(self.rooms["tides.ts"], "editor")
        self.ada.open_to_organization(self.rooms["rate_limiter.py"], "editor")

    def _register(self, name: str) -> Person:
        """Somebody new whose colour is unlike that of all others: it follows from the id, which is random."""
        person = Person(self.server.url, f"{name.split(maxsplit=1)[0].lower()}@northwind.example", name)
        account = {"email": person.email, "password": PASSWORD, "name": name}
        taken = {_hue_of(other) for other in self.people.values()}
        while True:
            person.id = person.request("POST", "auth/register/", json=account)["id"]
            person.sign_in()
            if _hue_of(person) not in taken:
                return person
            person.request("DELETE", "users/me/")
            person.access = ""

    async def window(self, name: str) -> Window:
        return await self.windows.window(
            self.server, self.people[name], viewport=VIEW, device_scale_factor=SCALE
        )


def _hue_of(person: Person) -> int:
    return PALETTE.index(color_of(person.id)) // HUE


def _own_organization(person: Person, name: str) -> str:
    """The id of the organization that registration made, renamed."""
    organization = person.organization()
    person.request("PATCH", f"organizations/{organization}/", json={"name": name})
    return organization


def _make_older(database: str) -> None:
    """The rooms of a studio are all new; those of people are not."""
    with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection, connection:
        for (_, _, name), days in zip(ROOMS, AGES_DAYS, strict=True):
            connection.execute(
                "UPDATE collab_room SET created_at = datetime(created_at, ?) WHERE name = ?",
                (f"-{days} days", name),
            )


async def _take(window: Window, name: str) -> None:
    """One picture in each theme."""
    session = await window.page.context.new_cdp_session(window.page)
    for theme in THEMES:
        await window.page.emulate_media(color_scheme=theme)
        await window.page.evaluate("drawn()")
        taken = await session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
        content = base64.b64decode(taken["data"])
        if len(content) > MAX_BYTES:
            raise SystemExit(f"{name}-{theme}: {len(content)} bytes are too many")
        (IMAGES / f"{name}-{theme}.webp").write_bytes(content)
        sys.stdout.write(f"docs/images/{name}-{theme}.webp {len(content) // 1000} KB\n")


async def _paste(window: Window, text: str, html: str = "") -> None:
    await window.editor.focus()
    await window.page.evaluate(_PASTE, [html, text])
    await window.page.evaluate("drawn()")
    await window.wait_status("Saved")


async def _take_rich_text(studio: Studio, hers: Window) -> None:
    room = studio.rooms["Lighthouse 2.0"]
    await hers.open(room)
    await _paste(hers, "", NOTES)
    await hers.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    others = {name: await studio.window(name) for name in ("Jonas", "Mira", "Ben")}
    for window in others.values():
        await window.open(room)
    mira, ben = others["Mira"].page, others["Ben"].page
    await mira.locator("p", has_text="Final copy for the pricing page").click()
    await mira.keyboard.press("Home")
    for _ in range(2):
        await mira.keyboard.press("Control+Shift+ArrowRight")
    await ben.locator("p", has_text="Rehearse the rollback on staging").click()
    await ben.keyboard.press("End")
    await ben.keyboard.type(", then on production", delay=20)
    await hers.wait_text("then on production")
    await _take(hers, "room")
    for window in others.values():
        await window.page.context.close()


async def _take_code(studio: Studio, hers: Window) -> None:
    room = studio.rooms["rate_limiter.py"]
    await hers.open(room)
    await hers.page.get_by_role("combobox", name="Language").select_option("python")
    await _paste(hers, LIMITER)
    await hers.page.evaluate("scrollTo(0, 0)")
    await hers.page.locator(".cm-line", has_text="class TokenBucket").click()
    mira, jonas = await studio.window("Mira"), await studio.window("Jonas")
    await mira.open(room)
    await mira.page.locator(".cm-line", has_text="clock: Callable").click()
    await mira.page.keyboard.press("End")
    await jonas.open(room)
    await jonas.page.locator(".cm-line", has_text="elapsed = now").click()
    await jonas.page.keyboard.press("Home")
    await jonas.page.keyboard.press("Shift+End")
    await expect(hers.page.locator(".caret", has_text="Jonas")).to_be_visible()
    await _take(hers, "code")
    for window in (mira, jonas):
        await window.page.context.close()


async def _take_sharing(studio: Studio, hers: Window) -> None:
    room = studio.rooms["Lighthouse 2.0"]
    groups = f"organizations/{studio.organization}/groups/"
    design = studio.ada.request("POST", groups, json={"name": "Design"})["id"]
    members = f"rooms/{room}/members/"
    studio.ada.request("POST", members, json={"group": design, "role": "editor"})
    studio.ada.request("POST", members, json={"email": "imani@lantern.example", "role": "viewer"})
    await hers.open(room)
    await hers.page.get_by_role("button", name="Share").click()
    await expect(hers.page.get_by_role("dialog").get_by_role("listitem")).to_have_count(7)
    await hers.page.evaluate("document.activeElement.blur()")
    await _take(hers, "share")


async def _take_rooms(hers: Window) -> None:
    await hers.go("/")
    await expect(hers.page.locator(".room-row a")).to_have_count(len(ROOMS))
    await _take(hers, "rooms")


async def _take_revoked(studio: Studio, member: str) -> None:
    room = studio.rooms["Lighthouse 2.0"]
    his = await studio.window("Ben")
    await his.open(room)
    studio.ada.revoke(room, member)
    await expect(his.page.get_by_role("alert")).to_contain_text("taken away")
    await expect(his.page.get_by_role("button", name="Ask")).to_be_visible()
    await _take(his, "revoked")


async def take_all(server: Server, windows: Windows, database: str) -> None:
    """Every picture, one after the other."""
    studio = Studio(server, windows)
    _make_older(database)
    members = {
        name: studio.ada.share(studio.rooms["Lighthouse 2.0"], studio.people[name], role)
        for name, role in (("Jonas", "viewer"), ("Mira", "editor"), ("Ben", "editor"))
    }
    hers = await studio.window("Ada")
    await _take_rich_text(studio, hers)
    await _take_code(studio, hers)
    await _take_sharing(studio, hers)
    await _take_rooms(hers)
    await _take_revoked(studio, members["Ben"])


async def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    chromium = find_chromium()
    with TemporaryDirectory(prefix="gatehouse-screenshots-") as directory:
        database = SqliteDatabases(Path(directory)).new_url()
        server = Server(Path(directory), DATABASE_URL=database)
        server.start()
        try:
            async with async_playwright() as playwright:
                fonts = str(Path(__file__).with_name("fonts.conf"))
                browser = await playwright.chromium.launch(
                    executable_path=chromium, env={**os.environ, "FONTCONFIG_FILE": fonts}
                )
                await take_all(server, Windows(browser), database)
                await browser.close()
        finally:
            server.terminate()


if __name__ == "__main__":
    asyncio.run(main())
