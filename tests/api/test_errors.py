"""One shape for everything that goes wrong."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import OperationalError
from django.test import Client
from rest_framework.exceptions import Throttled
from rest_framework.response import Response

from api.errors import exception_handler
from api.parsers import MAX_BODY_BYTES
from collab import selectors
from tests.factories import make_room

pytestmark = pytest.mark.django_db

ROOMS = "/api/v1/rooms/"


def post_raw(api, body: bytes, content_type: str = "application/json") -> Response:
    return api.generic("POST", ROOMS, body, content_type=content_type)


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b'{"name": NaN}', b"[" * 100_000, b"9" * 5000, b"\xef\xbb\xbf{}", b"a=b"],
    ids=["open", "no-utf-8", "nan", "deep", "long-number", "bom", "form"],
)
def test_body_that_is_not_json_is_400(body: bytes, api, errors) -> None:
    assert errors.code(post_raw(api, body), 400) == "parse_error"


def test_body_in_a_charset_that_unpacks_is_read_as_utf_8(api, errors) -> None:
    response = post_raw(api, b"x\x9c\x03\x00\x00\x00\x00\x01", "application/json; charset=zlib")
    assert errors.code(response, 400) == "parse_error"


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"', b"true"])
def test_body_that_is_not_an_object_is_400(body: bytes, api, errors) -> None:
    assert list(errors.fields(post_raw(api, body))) == ["non_field_errors"]


@pytest.mark.parametrize("name", [0, True, 1.5, [], {}])
def test_text_that_is_no_string_is_400(name: object, api, errors) -> None:
    response = api.post(ROOMS, {"organization": str(uuid4()), "name": name})
    assert errors.fields(response) == {"name": ["Not a valid string."]}


def test_body_that_is_empty_is_400_and_names_what_is_missing(api, errors) -> None:
    assert set(errors.fields(post_raw(api, b""))) == {"organization", "name"}


def test_body_that_is_too_large_is_413(api, errors) -> None:
    assert errors.code(post_raw(api, b" " * (MAX_BODY_BYTES + 1)), 413) == "body_too_large"


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain"])
def test_body_of_another_type_is_415(content_type: str, api, errors) -> None:
    assert errors.code(post_raw(api, b"a=b", content_type), 415) == "unsupported_media_type"


def test_text_with_a_lone_surrogate_is_400_and_names_the_field(api, errors) -> None:
    body = b'{"organization": "%s", "name": "\\ud800"}' % str(uuid4()).encode()
    assert list(errors.fields(post_raw(api, body))) == ["name"]


def test_validation_error_has_a_sentence_that_names_the_fields(api) -> None:
    body = api.post(ROOMS, {"organization": "x"}).json()
    assert body == {
        "code": "invalid",
        "detail": "organization: Must be a valid UUID. name: This field is required.",
        "fields": {"organization": ["Must be a valid UUID."], "name": ["This field is required."]},
    }


@pytest.mark.parametrize(
    "path",
    [
        "/api/",
        "/api/v1/",
        "/api/v1/nothing/",
        "/api/v2/rooms/",
        "/api/v1/rooms/not-a-uuid/",
        f"/api/v1/rooms/{uuid4()}/nothing/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_path_that_is_no_route_is_404(method: str, path: str, errors) -> None:
    response = Client(enforce_csrf_checks=True).generic(method, path)
    assert errors.code(response, 404) == "not_found"


def test_path_without_the_closing_slash_is_redirected_for_a_read_only(errors) -> None:
    response = Client().get("/api/v1/rooms?search=a")
    assert (response.status_code, response["Location"]) == (301, "/api/v1/rooms/?search=a")
    assert errors.code(Client().post("/api/v1/rooms"), 404) == "not_found"


def test_object_that_does_not_exist_is_404(api, errors) -> None:
    assert errors.code(api.get(f"{ROOMS}{uuid4()}/"), 404) == "not_found"


def test_action_without_the_right_is_403(api, user, errors) -> None:
    room = make_room(viewer=user)
    assert errors.code(api.delete(f"{ROOMS}{room.pk}/"), 403) == "permission_denied"


def test_method_that_is_not_there_is_405(api, errors) -> None:
    assert errors.code(api.put(ROOMS, {}), 405) == "method_not_allowed"


def test_representation_that_is_not_there_is_406(api, errors) -> None:
    assert errors.code(api.get(ROOMS, headers={"accept": "text/html"}), 406) == "not_acceptable"


def test_throttled_request_is_429_with_the_time_to_wait() -> None:
    response = exception_handler(Throttled(wait=30), {})
    assert response is not None
    assert (response.status_code, response["Retry-After"]) == (429, "30")
    assert response.data["code"] == "throttled"


def test_host_that_is_not_ours_is_400(errors) -> None:
    assert errors.code(Client().get(ROOMS, headers={"host": "evil.example"}), 400) == "bad_request"
    outside = Client().get("/admin/", headers={"host": "evil.example"})
    assert (outside.status_code, outside["Content-Type"].split(";")[0]) == (400, "text/html")


def test_unexpected_error_is_500_without_its_text(api, errors, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(selectors, "access_room", fail)
    api.raise_request_exception = False
    response = api.get(f"{ROOMS}{uuid4()}/")
    assert errors.code(response, 500) == "server_error"
    assert b"secret" not in response.content


def test_unexpected_error_outside_of_the_api_is_html(monkeypatch, client) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("backend.static.serve", fail)
    client.raise_request_exception = False
    response = client.get("/static/admin/css/base.css")
    assert (response.status_code, response["Content-Type"].split(";")[0]) == (500, "text/html")


def test_database_that_does_not_answer_is_503_and_one_line_in_the_log(
    api, errors, monkeypatch, caplog
) -> None:
    def away(*arguments: object, **options: object) -> None:
        raise OperationalError("the connection is lost\nmore about it")

    monkeypatch.setattr(selectors, "rooms_visible_to", away)
    response = api.get(f"{ROOMS}?search=plan")
    assert errors.code(response, 503) == "unavailable"
    assert response.headers["Retry-After"] == "2"
    [line] = [record for record in caplog.records if record.name == "api"]
    assert line.getMessage().endswith("does not answer: the connection is lost")
    assert line.exc_info is None
