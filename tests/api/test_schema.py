"""The OpenAPI description and its pages: public, complete, without a network."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import AsyncClient, Client

CHANGEABLE = [
    "organizations/{organization_id}/",
    "organizations/{organization_id}/members/{member_id}/",
    "organizations/{organization_id}/groups/{group_id}/",
    "rooms/{room_id}/",
    "rooms/{room_id}/members/{member_id}/",
    "rooms/{room_id}/share-links/{link_id}/",
]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return Client().get("/api/schema/?format=json").json()


def test_schema_validates_without_a_warning(tmp_path) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer stale"}], ids=["no-token", "stale-token"])
@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/"])
def test_schema_and_docs_are_public(path: str, headers: dict[str, str]) -> None:
    assert Client(headers=headers).get(path).status_code == 200


def test_schema_describes_the_error_envelope_at_every_operation(schema) -> None:
    assert set(schema["components"]["schemas"]["Error"]["properties"]) == {"code", "detail", "fields"}
    for operations in schema["paths"].values():
        for operation in operations.values():
            content = operation["responses"]["default"]["content"]
            assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}


def test_schema_says_that_fields_it_does_not_describe_and_empty_names_are_refused(schema) -> None:
    body = schema["components"]["schemas"]["OrganizationBody"]
    assert body["additionalProperties"] is False
    assert body["properties"]["name"]["minLength"] == 1


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("OrganizationRole", ["owner", "admin", "member", "guest"]),
        ("SharedRole", ["editor", "viewer"]),
        ("RoomRole", ["owner", "editor", "viewer"]),
    ],
)
def test_schema_names_the_roles(name: str, values: list[str], schema) -> None:
    assert schema["components"]["schemas"][name]["enum"] == values


def test_schema_has_an_etag_wherever_if_match_is_minded(schema) -> None:
    minded = set()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if any(each["name"] == "If-Match" for each in operation.get("parameters", ())):
                minded.add((method, path))
                assert "ETag" in operations["get"]["responses"]["200"]["headers"]
                assert "ETag" in operations["patch"]["responses"]["200"]["headers"]
    assert minded >= {(method, f"/api/v1/{path}") for path in CHANGEABLE for method in ("patch", "delete")}


def test_schema_says_where_a_token_is_needed(schema) -> None:
    paths = schema["paths"]
    assert "security" not in paths["/api/v1/token/"]["post"]
    assert paths["/api/v1/rooms/"]["get"]["security"] == [{"jwtAuth": []}]


def test_docs_load_nothing_from_elsewhere() -> None:
    page = Client().get("/api/docs/").content.decode()
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links
    for link in links:
        assert link.startswith("/static/")
        assert Client().get(link).status_code == 200


@pytest.mark.parametrize("debug", [True, False])
def test_static_file_is_served_in_every_mode(debug: bool, settings) -> None:
    settings.DEBUG = debug
    response = Client().get("/static/admin/css/base.css")
    assert response["Content-Type"] == "text/css"
    unchanged = Client(headers={"if-modified-since": response["Last-Modified"]})
    assert unchanged.get("/static/admin/css/base.css").status_code == 304


@pytest.mark.parametrize("path", ["nothing.css", "admin/", "../manage.py", "/etc/passwd"])
def test_static_path_that_is_no_file_is_refused(path: str) -> None:
    assert Client().get(f"/static/{path}").status_code in {400, 404}


async def test_static_file_is_served_under_asgi_without_a_warning() -> None:
    response = await AsyncClient().get("/static/admin/css/base.css")
    assert response.status_code == 200
