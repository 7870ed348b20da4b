"""docs/editors.md: its files connect, follow roles, renew tokens and tell what is saved, in Node.

The editors themselves need a browser: `check_editors`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.api import PASSWORD, Person
from tests.support.node import TESTS, find_node
from tests.support.server import ROOT
from tests.support.site import Site

_BLOCK = re.compile(r"```js\n// (?P<name>[\w-]+\.js)\n(?P<code>.*?)```", re.DOTALL)
_SCRIPT = Path(__file__).with_name("recipes.mjs")


def sources() -> dict[str, str]:
    """The files of the page, by name."""
    page = (ROOT / "docs" / "editors.md").read_text()
    found = {block["name"]: block["code"] for block in _BLOCK.finditer(page)}
    assert len(found) == page.count("```js")
    return found


def _start(directory: Path, module: str, site: Site) -> subprocess.Popen[str]:
    """Play through `recipes.mjs` in a room of its own."""
    people = [Person.register(site.server().url, name) for name in ("ada", "bob")]
    room = people[0].create_room()
    wanted = {
        "server": site.server().url,
        "room": room,
        "member": people[0].share(room, people[1]),
        **{person.name: {"email": person.email, "password": PASSWORD} for person in people},
    }
    directory.mkdir()
    (directory / "package.json").write_text('{"type": "module"}')
    (directory / "node_modules").symlink_to(TESTS / "node_modules")
    for name, code in sources().items():
        # Two tabs of a browser also talk past the server; here both are in one process.
        alone = code.replace("connect: false,", "connect: false, disableBc: true,")
        (directory / name).write_text(alone.replace("'@hocuspocus/provider'", "'hocuspocus-provider-4'"))
    script = directory / _SCRIPT.name
    script.write_text(_SCRIPT.read_text())
    process = subprocess.Popen(
        [find_node(), str(script), str(directory), module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(wanted))
    process.stdin.close()
    process.stdin = None
    return process


def test_rooms_of_the_recipes_follow_tokens_roles_and_commits(
    new_site: Callable[..., Site], tmp_path: Path
) -> None:
    site = new_site(ACCESS_TOKEN_LIFETIME_S="8")
    modules = ("gatehouse.js", "gatehouse-hocuspocus.js")
    processes = [_start(tmp_path / module, module, site) for module in modules]
    try:
        for process in processes:
            printed, _ = process.communicate(timeout=100)
            assert process.returncode == 0, printed
    finally:
        for process in processes:
            process.kill()
