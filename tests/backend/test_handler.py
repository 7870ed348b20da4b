"""Requests are answered in threads that stay; what streams ends with its client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.signals import request_finished
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from backend.handler import THREADS, ThreadHandler

pytestmark = pytest.mark.django_db(transaction=True)


class Stream:
    """What streams now, as one would see it from outside."""

    ended: ClassVar[asyncio.Event]


@csrf_exempt
def describe(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    thread = threading.current_thread().name.split("_")[0]
    return HttpResponse(f"{request.method} {request.path} {request.body.decode()} {thread}")


def connection_id(request: HttpRequest) -> HttpResponse:
    connection.ensure_connection()
    return HttpResponse(f"{threading.get_ident()} {id(connection.connection)}")


async def _for_ever() -> AsyncIterator[bytes]:
    try:
        yield b"first"
        await asyncio.Event().wait()
    finally:
        Stream.ended.set()


async def _cut_off() -> AsyncIterator[bytes]:
    yield b"first"
    raise asyncio.CancelledError


async def _whole() -> AsyncIterator[bytes]:
    yield b"first"
    yield b"last"


def stream(request: HttpRequest, kind: str) -> HttpResponseBase:
    return StreamingHttpResponse({"for-ever": _for_ever, "cut-off": _cut_off, "whole": _whole}[kind]())


urlpatterns = [
    path("describe", describe),
    path("connection", connection_id),
    path("stream/<str:kind>", stream),
]


@pytest.fixture(autouse=True)
def own_routes(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["here"]


def ask(url: str, *, method: str = "GET", host: bytes = b"here") -> ApplicationCommunicator:
    scope = {
        "type": "http",
        "method": method,
        "path": url,
        "query_string": b"",
        "headers": [(b"host", host), (b"content-type", b"text/plain")],
    }
    return ApplicationCommunicator(ThreadHandler(), scope)


async def answer(asked: ApplicationCommunicator, *parts: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to a body of these parts."""
    for number, part in enumerate(parts or (b"",), start=1):
        await asked.send_input({"type": "http.request", "body": part, "more_body": number < len(parts)})
    status = (await asked.receive_output())["status"]
    body, more = b"", True
    while more:
        message = await asked.receive_output()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return status, body


async def test_request_is_answered_in_a_thread_with_its_whole_body() -> None:
    asked = ask("/describe", method="PUT")
    assert await answer(asked, b"one ", b"two") == (200, b"PUT /describe one two http")


async def test_request_passes_the_middleware_first() -> None:
    status, _ = await answer(ask("/describe", host=b"elsewhere"))
    assert status == 400


async def test_request_ends_once_it_is_answered() -> None:
    ended = []
    request_finished.connect(lambda **given: ended.append(given["sender"]), weak=False, dispatch_uid="test")
    try:
        await answer(ask("/describe"))
    finally:
        request_finished.disconnect(dispatch_uid="test")
    assert len(ended) == 1


@pytest.mark.skipif(connection.vendor != "sqlite", reason="connections to PostgreSQL come from a pool")
async def test_thread_keeps_its_connection_for_the_next_request() -> None:
    seen = {(await answer(ask("/connection")))[1] for _ in range(2 * THREADS)}
    assert len(seen) == len({each.split()[0] for each in seen})


async def test_client_that_goes_before_its_request_is_whole_gets_no_answer() -> None:
    asked = ask("/describe")
    await asked.send_input({"type": "http.disconnect"})
    await asked.wait()
    assert await asked.receive_nothing()


async def test_stream_is_sent_whole() -> None:
    assert await answer(ask("/stream/whole")) == (200, b"firstlast")


async def test_stream_ends_with_its_client() -> None:
    Stream.ended = asyncio.Event()
    asked = ask("/stream/for-ever")
    await asked.send_input({"type": "http.request", "body": b""})
    await asked.receive_output()
    assert (await asked.receive_output())["body"] == b"first"
    await asked.send_input({"type": "http.disconnect"})
    await asked.wait()
    assert Stream.ended.is_set()


async def test_stream_that_is_cut_off_has_no_end() -> None:
    asked = ask("/stream/cut-off")
    await asked.send_input({"type": "http.request", "body": b""})
    await asked.receive_output()
    assert (await asked.receive_output())["more_body"]
    await asked.wait()
    assert await asked.receive_nothing()
