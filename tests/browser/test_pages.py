"""Every page: accessible in both themes, no wider than a small screen, under a strict policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from tests.browser.windows import CODE, RICH_TEXT, Window, Windows, people, room_of
from tests.support.api import PASSWORD, Person
from tests.support.missing import MissingError, skipping_what_is_missing
from tests.support.server import ROOT, Server

_AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
SMALL, WIDE = {"width": 320, "height": 640}, {"width": 1280, "height": 800}

FITS = "() => document.documentElement.scrollWidth <= innerWidth"


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    with skipping_what_is_missing():
        if not _AXE.exists():
            raise MissingError("axe-core is not installed (npm ci in frontend/)")
        return _AXE.read_text()


async def _sign_in(window: Window, ada: Person) -> None:
    await window.go("/sign-in")


async def _register(window: Window, ada: Person) -> None:
    await window.go("/register")


async def _rooms(window: Window, ada: Person) -> None:
    room_of(ada, kind=CODE, name="A name that is far too long for any small screen, and goes on and on")
    await window.go("/")
    await expect(window.page.locator(".room-row a")).to_have_count(1)


async def _rich_text(window: Window, ada: Person) -> None:
    await window.open(room_of(ada, kind=RICH_TEXT))
    await window.type("# Plans\nof all of us\n- and their points")


async def _code(window: Window, ada: Person) -> None:
    await window.open(room_of(ada, kind=CODE))
    await window.page.get_by_role("combobox", name="Language").select_option("python")
    await window.type("print('a long line', 'that goes on', 'and on', 'beyond', 'the', 'edge')  # comment")


async def _sharing(window: Window, ada: Person) -> None:
    await window.open(room_of(ada))
    await window.page.get_by_role("button", name="Share").click()
    await expect(window.page.get_by_role("dialog").get_by_role("listitem")).to_have_count(2)


async def _organization(window: Window, ada: Person) -> None:
    await window.go(f"/organizations/{ada.organization()}")
    await expect(window.page.get_by_role("listitem").filter(has_text=ada.email)).to_be_visible()


async def _account(window: Window, ada: Person) -> None:
    await window.go("/account")
    await expect(window.page.get_by_role("textbox", name="Name")).to_have_value("Ada")


async def _no_access(window: Window, ada: Person) -> None:
    await window.go("/rooms/00000000-0000-4000-8000-000000000000")
    await expect(window.page.get_by_role("alert")).to_contain_text("no access")


async def _nowhere(window: Window, ada: Person) -> None:
    answer = await window.page.goto("/no/such/page")
    assert answer
    assert answer.status == 404
    await expect(window.page.get_by_role("heading", level=1)).to_have_text("There is nothing here")


ANONYMOUS = (_sign_in, _register, _nowhere)
PAGES = (*ANONYMOUS, _rooms, _rich_text, _code, _sharing, _organization, _account, _no_access)
Visit = Callable[[Window, Person], Awaitable[None]]


@pytest.mark.parametrize("visit", PAGES, ids=lambda visit: visit.__name__.strip("_"))
async def test_page_is_accessible_and_fits_into_320_pixels(
    visit: Visit, axe: str, server: Server, windows: Windows
) -> None:
    (ada,) = people(server, "Ada")
    window = await windows.window(server, None if visit in ANONYMOUS else ada, viewport=WIDE)
    await visit(window, ada)
    await expect(window.page.get_by_role("heading").first).to_be_visible()
    await expect(window.page.locator("[aria-busy=true], .skeleton")).to_have_count(0)
    await window.page.evaluate(axe)
    for theme in ("light", "dark"):
        await window.page.emulate_media(color_scheme=theme)
        assert await _violations(window.page) == [], theme
    await window.page.set_viewport_size(SMALL)
    await window.page.wait_for_function(FITS)
    assert await _violations(window.page) == [], "small"


async def _violations(page: Page) -> list[str]:
    """What axe finds: its rule, and the elements."""
    await page.evaluate("drawn()")
    found = await page.evaluate(
        "axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations)"
    )
    return [
        f"{each['id']}: {node['html'][:200]} {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]


async def test_axe_sees_what_is_wrong(axe: str, server: Server, windows: Windows) -> None:
    window = await windows.window(server, viewport=SMALL)
    await window.go("/sign-in")
    await expect(window.page.get_by_role("heading").first).to_be_visible()
    await window.page.evaluate(axe)
    await window.page.evaluate(
        """() => {
          const wrong = document.createElement('input')
          wrong.className = 'input'
          document.querySelector('form').append(wrong)
          wrong.style.minWidth = '1000px'
        }"""
    )
    assert [violation.split(":")[0] for violation in await _violations(window.page)] == ["label"]
    assert not await window.page.evaluate(FITS)


async def test_a_script_in_the_page_is_refused_and_noticed(server: Server, windows: Windows) -> None:
    window = await windows.window(server)
    await window.go("/sign-in")
    async with window.page.expect_console_message(lambda said: "Content Security Policy" in said.text):
        await window.page.evaluate(
            """() => {
              const script = document.createElement('script')
              script.textContent = 'globalThis.injected = true'
              document.head.append(script)
            }"""
        )
    assert await window.page.evaluate("globalThis.injected") is None
    assert len(windows.complaints) == 1
    windows.complaints.clear()


async def test_signing_in_leads_to_where_one_wanted_to_go(server: Server, windows: Windows) -> None:
    (ada,) = people(server, "Ada")
    room = room_of(ada)
    window = await windows.window(server)
    await window.go(f"/rooms/{room}")
    await window.page.get_by_label("E-mail").fill(ada.email)
    await window.page.get_by_label("Password").fill("wrong")
    await window.page.get_by_role("button", name="Sign in").click()
    await expect(window.page.get_by_role("alert")).to_contain_text("No account has this")
    await window.page.get_by_label("Password").fill(PASSWORD)
    await window.page.get_by_role("button", name="Sign in").click()
    await window.wait_status("Saved")
    assert window.page.url.endswith(f"/rooms/{room}")
