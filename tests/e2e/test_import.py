"""Moving in: documents of another server's store, opened by real clients."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

from tests.collab.test_import_documents import hocuspocus
from tests.support.databases import SqliteDatabases
from tests.support.node import Node
from tests.support.server import environment, manage
from tests.support.site import Site


async def test_imported_document_is_there_for_a_real_client_and_a_second_run_reaches_open_rooms(
    new_site: Callable[..., Site], sqlite_databases: SqliteDatabases, node: Node, tmp_path: Path
) -> None:
    url = sqlite_databases.new_url()
    site = new_site(DATABASE_URL=url)
    alice, bob = site.people("alice", "bob")
    first = await node.call("makeUpdate", edits=[["text.insert", 0, "moved"]], client=11)
    store = hocuspocus(tmp_path / "hocuspocus.sqlite", {"page/1": bytes.fromhex(first["state"])})

    def run() -> dict[str, str]:
        arguments = ["--from", "hocuspocus-sqlite", str(store), "--organization", alice.organization()]
        done = manage("import_documents", *arguments, "--json", env=environment(DATABASE_URL=url))
        assert done.returncode == 0, done.stdout
        found: dict[str, str] = json.loads(done.stdout.splitlines()[0])
        return found

    found = run()
    room = found["room"]
    editor = await site.join(alice, room)
    assert await editor.text() == "moved"
    await editor.edit(("text.insert", 5, " in"))
    outsider = await site.open(bob, room)
    await outsider.wait_closed(4403)

    later = await node.call("makeUpdate", base=first["state"], edits=[["text.insert", 0, "we "]], client=12)
    with sqlite3.connect(store) as database:
        database.execute("UPDATE documents SET data = ?", [bytes.fromhex(later["state"])])
    database.close()
    assert run() == found | {"status": "updated", "bytes": len(bytes.fromhex(later["state"]))}
    await editor.wait_content("text", "we moved in")
    assert (await site.content_for_newcomer(alice, room))["text"] == "we moved in"
