"""The OpenAPI description is what the server does: schemathesis tries all of it, by all of its checks.

Against a running server, on behalf of somebody who owns things, whose ids it is given to get beyond 404.
Each operation that takes something away has a place of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api import Person
from tests.support.databases import PostgresDatabases
from tests.support.server import Server

#: The same cases in every run.
SEED = 20_261
MAX_EXAMPLES = 10
#: It takes half a minute; on a machine that is busy, a few times that.
TIMEOUT_S = 240
COMMAND = [sys.executable, "-m", "schemathesis.cli", "run"]
METHODS = {"get", "post", "patch", "delete"}
#: How what is well-formed, but not possible now, is refused: `already_member`, `last_owner`, another ETag.
NOT_POSSIBLE = [400, 412]


#: A token, a password, a socket that is open, another owner: without it these can only refuse. All others
#: have to succeed at least once, or what is tried does not get beyond 404.
NEED_WHAT_NOBODY_CAN_GUESS = {
    ("post", "/api/v1/invitations/accept/"),
    ("post", "/api/v1/rooms/{room_id}/leave/"),
    ("post", "/api/v1/rooms/{room_id}/transfer/"),
    ("delete", "/api/v1/rooms/{room_id}/connections/{connection_id}/"),
    ("post", "/api/v1/share-links/redeem/"),
    ("post", "/api/v1/token/blacklist/"),
    ("post", "/api/v1/token/refresh/"),
    ("post", "/api/v1/token/verify/"),
    ("post", "/api/v1/users/me/password/"),
}


class World:
    """What somebody owns, made over REST."""

    def __init__(self, server: Server) -> None:
        self.owner, self.other = (Person.register(server.url, name) for name in ("ada", "grace"))
        self.organization = self.owner.create_organization()
        self.member = self.owner.add_to_organization(self.organization, self.other)
        groups = f"organizations/{self.organization}/groups/"
        self.group = self._made(groups, name="Team")
        self.group_member = self._made(f"{groups}{self.group}/members/", user=self.other.id)
        self.room = self.owner.create_room(organization=self.organization)
        self.request = str(
            self.other.request("POST", f"rooms/{self.room}/access-requests/", json={"role": "editor"})["id"]
        )
        self.room_member = self.owner.share(self.room, self.other, "viewer")
        self.link = self._made(f"rooms/{self.room}/share-links/", role="viewer")

    def _made(self, path: str, **body: Any) -> str:
        return str(self.owner.request("POST", path, json=body)["id"])

    def id_in(self, path: str, name: str) -> str | None:
        """The id that belongs in a path; none for what this world has none of."""
        if name == "member_id":
            if path.startswith("/api/v1/rooms/"):
                return self.room_member
            return self.group_member if "/groups/" in path else self.member
        ids = {
            "organization_id": self.organization,
            "group_id": self.group,
            "room_id": self.room,
            "request_id": self.request,
            "link_id": self.link,
        }
        return ids.get(name)


def ends_something(method: str, path: str) -> bool:
    """Whether it takes away what other operations need."""
    return method == "delete" or path.endswith(("/leave/", "/transfer/", "/accept/", "/password/"))


def configuration(server: Server, operations: list[tuple[str, str]]) -> str:
    """A `schemathesis.toml` (TOML takes JSON's strings and lists).

    Args:
        operations: method and path of each.
    """
    world = World(server)
    lines = [
        f"seed = {SEED}",
        f"headers = {{ Authorization = {json.dumps('Bearer ' + world.owner.access)} }}",
        "continue-on-failure = true",
        "[generation]",
        f"max-examples = {MAX_EXAMPLES}",
        'database = "none"',
        "[checks.positive_data_acceptance]",
        f"expected-statuses = {json.dumps([*NOT_POSSIBLE, '2xx', 401, 403, 404])}",
        "[checks.negative_data_rejection]",
        "expected-statuses = [400, 401, 403, 404, 405, 412, 413, 415, 429]",
    ]
    for method, path in operations:
        place = World(server) if ends_something(method, path) else world
        # Whoever owns an organization with others in it can't erase themselves.
        caller = place.other if (method, path) == ("delete", "/api/v1/users/me/") else place.owner
        names = re.findall(r"\{(\w+)\}", path)
        ids = {name: found for name in names if (found := place.id_in(path, name))}
        lines += [
            "[[operations]]",
            f"include-name = {json.dumps(f'{method.upper()} {path}')}",
            f"headers = {{ Authorization = {json.dumps('Bearer ' + caller.access)} }}",
            "parameters = { "
            + ", ".join(f"{name} = {json.dumps(found)}" for name, found in ids.items())
            + " }",
        ]
    return "\n".join(lines) + "\n"


def with_every_status(schema: dict[str, Any]) -> dict[str, Any]:
    """The description with each status that it names for errors, and not "whatever else": any other fails."""
    for operations in schema["paths"].values():
        for method in METHODS & operations.keys():
            responses = operations[method]["responses"]
            refused = responses.pop("default")
            responses |= dict.fromkeys(re.findall(r"\d{3}", refused["description"]), refused)
    return schema


def succeeded(server: Server, operations: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """The operations that the server's log has a success of."""
    requests = re.findall(r'"([A-Z]+) (/[^ ?]*)\S* HTTP/1.1" 2\d\d', server.log.read_text())
    return {
        (method, path)
        for method, path in operations
        for sent, to in requests
        if sent == method.upper() and re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), to)
    }


@pytest.fixture
def server(tmp_path: Path, postgres_databases: PostgresDatabases) -> Iterator[Server]:
    """On PostgreSQL, which takes fewer strings than SQLite does; nobody is throttled."""
    rates = {f"THROTTLE_{name}": "" for name in ("USER", "ADDRESS", "REGISTER", "SIGN_IN")}
    server = Server(
        tmp_path,
        DATABASE_URL=postgres_databases.new_url(),
        ACCESS_TOKEN_LIFETIME_S="3600",
        DJANGO_SETTINGS_MODULE="tests.support.settings_fast_passwords",
        **rates,
    )
    server.start()
    yield server
    server.terminate()
    server.check_log()


@pytest.mark.timeout(TIMEOUT_S + 60)
def test_server_does_what_the_description_says(server: Server, tmp_path: Path) -> None:
    schema = with_every_status(httpx.get(f"{server.url}/api/schema/?format=json").json())
    (tmp_path / "openapi.json").write_text(json.dumps(schema))
    operations = [
        (method, path) for path, item in schema["paths"].items() for method in sorted(METHODS & item.keys())
    ]
    (tmp_path / "schemathesis.toml").write_text(configuration(server, operations))
    done = subprocess.run(
        [*COMMAND, "openapi.json", "--url", server.url, "--checks=all"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"Tested: {len(operations)}" in done.stdout, done.stdout
    assert set(operations) - succeeded(server, operations) <= NEED_WHAT_NOBODY_CAN_GUESS
