"""The README's tour, pasted into a shell against a fresh server."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support.databases import SqliteDatabases
from tests.support.node import Node
from tests.support.server import ROOT, Server, environment, manage

_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_ADDRESS = "127.0.0.1:8000"


def tour(port: int, directory: Path) -> str:
    """The commands under "One minute", for another port, with the packages that are already here."""
    readme = (ROOT / "README.md").read_text()
    commands = "\n".join(_BLOCK.findall(readme.split("## One minute")[1]))
    install = "npm install --silent yjs y-websocket ws"
    assert install in commands
    assert _ADDRESS in commands
    return (
        commands.replace(install, f"ln -s {ROOT}/tests/node_modules node_modules")
        .replace(_ADDRESS, f"127.0.0.1:{port}")
        .replace("/tmp/gatehouse-tour", str(directory))
    )


def test_tour_pasted_into_a_shell_shows_sharing_and_revocation(
    node: Node, sqlite_databases: SqliteDatabases, tmp_path: Path
) -> None:
    database = sqlite_databases.new_url()
    loaded = manage("load_demo", env=environment(DATABASE_URL=database))
    assert loaded.returncode == 0, loaded.stdout
    server = Server(tmp_path, DATABASE_URL=database)
    server.start()
    try:
        done = subprocess.run(
            ["bash", "-c", "set -m\n" + tour(server.port, tmp_path / "tour")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        server.terminate()
    assert "Ada sees: " in done.stdout, done.stdout + done.stderr
    assert re.search(r"Ada sees: .*Dan was here", done.stdout), done.stdout
    assert re.search(r"Dan sees: .*Ada was here", done.stdout), done.stdout
    assert "Dan is out: 4403 Your access to this room was taken away." in done.stdout
    assert "Ada is out" not in done.stdout
