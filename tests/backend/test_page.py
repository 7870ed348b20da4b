"""The page: one document for all its routes, assets that never leave their folder, and no page at all."""

from __future__ import annotations

import gzip
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import Client

ROUTES = [
    "/",
    "/sign-in",
    "/register",
    "/account",
    f"/rooms/{uuid4()}",
    f"/rooms/{uuid4()}?requests",
    f"/organizations/{uuid4()}",
    "/invitations/some:signed-token?room=7",
    "/links/token",
]


@pytest.fixture
def page(tmp_path: Path, settings) -> Path:
    """A folder like the one that is built."""
    assets = tmp_path / "dist" / "assets"
    assets.mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "dist" / "index.html").write_text("<!doctype html><title>Page</title>")
    (assets / "index-B1kmC-c6.js").write_text("run()")
    (assets / "index-B1kmC-c6.js.gz").write_bytes(gzip.compress(b"run()"))
    (assets / "index-B1kmC-c6.js.br").write_bytes(b"as brotli")
    (assets / "theme.js").write_text("theme()")
    (assets / "gatehouse.svg").write_text("<svg/>")
    settings.PAGE_DIR = tmp_path / "dist"
    return tmp_path / "dist"


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_is_the_same_document(route: str, page: Path, client: Client) -> None:
    response = client.get(route)
    assert (response.status_code, response.content) == (200, (page / "index.html").read_bytes())
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/assets/theme.js", "/assets/not-built.css"])
def test_policy_lets_nothing_in_but_this_server(path: str, page: Path, client: Client) -> None:
    response = client.get(path)
    policy = dict(part.split(" ", 1) for part in response["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"


def test_document_is_not_sent_again_as_long_as_it_is_the_same(page: Path, client: Client) -> None:
    etag = client.get("/")["ETag"]
    assert client.get("/", headers={"If-None-Match": etag}).status_code == 304
    (page / "index.html").write_text("another")
    assert client.get("/", headers={"If-None-Match": etag}).content == b"another"


@pytest.mark.parametrize("path", ["/api/v1/unknown/", "/api/unknown/", "/api/rooms/"])
def test_unknown_routes_of_the_api_stay_json(path: str, page: Path, client: Client) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["/unknown", "/rooms/1/2", "/sign-in/x", "/index.html", "/assets/"])
def test_unknown_routes_are_404(path: str, page: Path, client: Client) -> None:
    assert client.get(path).status_code == 404


def test_page_is_only_read(page: Path, client: Client) -> None:
    assert client.post("/").status_code == 405
    assert client.post("/assets/theme.js").status_code == 405


@pytest.mark.parametrize(
    ("accepted", "encoding", "content"),
    [
        ("gzip, deflate, br, zstd", "br", b"as brotli"),
        ("gzip", "gzip", gzip.compress(b"run()")),
        ("br;q=0, gzip;q=0.5", "gzip", gzip.compress(b"run()")),
        ("identity", None, b"run()"),
        ("", None, b"run()"),
    ],
)
def test_hashed_asset_is_for_ever_and_as_small_as_the_client_takes(
    accepted: str, encoding: str | None, content: bytes, page: Path, client: Client
) -> None:
    response = client.get("/assets/index-B1kmC-c6.js", headers={"Accept-Encoding": accepted})
    assert response.get("Content-Encoding") == encoding
    assert response["Content-Type"] == "text/javascript; charset=utf-8"
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Accept-Encoding" in response["Vary"]
    if encoding != "gzip":
        assert response.content == content
    else:
        assert gzip.decompress(response.content) == gzip.decompress(content)


@pytest.mark.parametrize(
    ("name", "kind"), [("theme.js", "text/javascript; charset=utf-8"), ("gatehouse.svg", "image/svg+xml")]
)
def test_asset_without_a_hash_is_asked_for_again(name: str, kind: str, page: Path, client: Client) -> None:
    response = client.get(f"/assets/{name}")
    assert (response["Content-Type"], response["Cache-Control"]) == (kind, "no-cache")


@pytest.mark.parametrize(
    "name",
    [
        "../index.html",
        "..%2findex.html",
        "%2e%2e/%2e%2e/secret.txt",
        "..%2f..%2fsecret.txt",
        "..%5c..%5csecret.txt",
        "%2fetc%2fpasswd",
        "..",
        ".gitignore",
        "a/b.js",
        "x%00.js",
        "theme.js%0a",
        "unknown-12345678.js",
    ],
)
def test_what_is_no_file_of_the_folder_is_404(name: str, page: Path, client: Client) -> None:
    response = client.get(f"/assets/{name}")
    assert response.status_code == 404
    assert b"secret" not in response.content.replace(b"secret.txt", b"")


def test_without_a_built_page_the_way_to_it_is_shown(tmp_path: Path, settings, client: Client) -> None:
    settings.PAGE_DIR = tmp_path / "nothing"
    response = client.get("/rooms/7")
    assert response.status_code == 200
    assert b"make frontend" in response.content
    assert b"<style" not in response.content
    assert client.get("/assets/not-built.css")["Content-Type"] == "text/css"
    assert client.get("/assets/theme.js").status_code == 404


def test_page_that_is_built_while_the_server_runs_is_served(tmp_path: Path, settings, client: Client) -> None:
    settings.PAGE_DIR = tmp_path
    etag = client.get("/").get("ETag")
    (tmp_path / "index.html").write_text("now")
    assert (etag, client.get("/").content) == (None, b"now")


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("path", ["/nowhere", "/rooms", "/rooms/1/2", "/apiary"])
def test_unknown_address_is_the_page_for_browsers_and_json_elsewhere(
    path: str, page: Path, client: Client
) -> None:
    response = client.get(path, headers={"Accept": BROWSER})
    assert (response.status_code, response.content) == (404, (page / "index.html").read_bytes())
    assert "script-src 'self'" in response["Content-Security-Policy"]
    for accept in ("*/*", "application/json", ""):
        response = client.get(path, headers={"Accept": accept})
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert client.post(path).status_code == 404


def test_unknown_address_without_a_page_is_json(page: Path, client: Client) -> None:
    (page / "index.html").unlink()
    response = client.get("/nowhere", headers={"Accept": BROWSER})
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_address_that_lacks_its_slash_leads_there(page: Path, client: Client) -> None:
    response = client.get("/admin?next=1", headers={"Accept": BROWSER})
    assert (response.status_code, response["Location"]) == (301, "/admin/?next=1")
