"""The editors of docs/editors.md, each in two pages of a real browser, and the dump of docs/migrating.md.

`make test-editors`; not among the tests of `make test`, because the editors take 300 MB. What does not need
them is in `test_editor_recipes`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid5

import pytest

from tests.e2e.test_editor_recipes import sources
from tests.support.api import PASSWORD, Person
from tests.support.databases import SqliteDatabases
from tests.support.missing import MissingError, skipping_what_is_missing
from tests.support.node import TESTS, find_node
from tests.support.processes import free_port
from tests.support.server import ROOT, environment, manage
from tests.support.site import Site

_DUMP = re.compile(r"```js\n// dump\.mjs.*?\n(.*?)```", re.DOTALL)
_WRITE = """
import { LeveldbPersistence } from 'y-leveldb'
import * as Y from 'yjs'
const store = new LeveldbPersistence(process.argv[2])
for (const name of ['page/1', 'ä']) {
  const doc = new Y.Doc()
  const updates = []
  doc.on('update', update => updates.push(update))
  for (const word of ['moved ', 'from ', name]) doc.getText('text').insert(doc.getText('text').length, word)
  for (const update of updates) await store.storeUpdate(name, update)
}
await store.destroy()
"""

EDITORS = TESTS / "editors"


@pytest.fixture(scope="session")
def chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    with skipping_what_is_missing():
        if found := next(filter(None, map(shutil.which, names)), None):
            return found
        raise MissingError("Chromium is not installed (Debian: apt-get install chromium)")


def _person(person: Person, color: str) -> dict[str, str]:
    return {"email": person.email, "password": PASSWORD, "name": person.name, "color": color}


@pytest.mark.parametrize(
    "editor", ["tiptap", "prosemirror", "codemirror", "monaco", "quill", "lexical", "blocknote"]
)
def test_text_typed_into_one_page_arrives_in_the_other_until_access_is_taken_away(
    editor: str, chromium: str, new_site: Callable[..., Site]
) -> None:
    port = free_port()
    site = new_site(ALLOWED_ORIGINS=f"http://127.0.0.1:{port}")
    ada, bob = site.people("ada", "bob")
    room = ada.create_room()
    member = ada.request("POST", f"rooms/{room}/members/", json={"email": bob.email, "role": "editor"})["id"]
    wanted = {
        "editor": editor,
        "sources": sources(),
        "port": port,
        "chromium": chromium,
        "server": site.server().url,
        "room": room,
        "member": member,
        "access": ada.access,
        "ada": _person(ada, "#c02020"),
        "bob": _person(bob, "#2020c0"),
    }
    done = subprocess.run(
        [find_node(), str(EDITORS / "browser.mjs")],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exception" not in done.stdout, done.stdout
    assert "ended: Your access to this room was taken away." in done.stdout, done.stdout


def _dump(directory: Path) -> str:
    """What the recipe prints of a directory that y-leveldb wrote."""
    (directory / "node_modules").symlink_to(EDITORS / "node_modules")
    found = _DUMP.search((ROOT / "docs" / "migrating.md").read_text())
    assert found
    printed = ""
    for name, code in (("write.mjs", _WRITE), ("dump.mjs", found[1])):
        (directory / name).write_text(code)
        command = [find_node(), str(directory / name), str(directory / "leveldb")]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return printed


async def test_documents_of_y_leveldb_are_dumped_imported_and_seen(
    new_site: Callable[..., Site], sqlite_databases: SqliteDatabases, tmp_path: Path
) -> None:
    url = sqlite_databases.new_url()
    site = new_site(DATABASE_URL=url)
    ada = site.person("ada")
    (tmp_path / "documents.jsonl").write_text(_dump(tmp_path))
    organization = ada.organization()
    arguments = ["--from", "updates", str(tmp_path / "documents.jsonl"), "--organization", organization]
    done = manage("import_documents", *arguments, env=environment(DATABASE_URL=url))
    assert done.stdout == "2 documents: 2 created\n"
    for name in ("page/1", "ä"):
        room = str(uuid5(UUID(organization), name))
        assert (await site.content_for_newcomer(ada, room))["text"] == f"moved from {name}"
