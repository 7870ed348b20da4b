"""The examples of own consumers, with a document of either library."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pycrdt
import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.urls import path

from accounts.models import User
from collab.consumers import send_doc_update
from collab.replicas import y_py
from tests.collab.client import WebsocketCommunicator, connected

pytestmark = pytest.mark.usefixtures("engine")

WITHOUT_Y_PY = pytest.mark.skipif(y_py is None, reason="y-py has no wheels for this Python")


@pytest.fixture(params=[pytest.param("y_py", marks=WITHOUT_Y_PY), "pycrdt"])
def example(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(f"examples.{request.param}_consumer")


@pytest.fixture
def application(example: ModuleType) -> Iterator[Any]:
    cache.set("note-shopping.text", "milk")
    yield URLRouter([path("notes/<str:room>", example.NoteConsumer.as_asgi())])
    cache.clear()


def someone() -> User:
    return User(email="ada@example.com", name="Ada")


async def test_note_starts_with_its_stored_text(application: Any) -> None:
    async with connected(application, "notes/shopping", user=someone()) as ada:
        assert str(ada.text) == "milk"


async def test_note_edited_by_two_converges(application: Any) -> None:
    async with (
        connected(application, "notes/shopping", user=someone()) as ada,
        connected(application, "notes/shopping", user=someone()) as bob,
    ):
        await ada.write(", bread")
        await bob.wait_for_text("milk, bread")


async def test_note_of_an_anonymous_user_is_refused(application: Any) -> None:
    communicator = WebsocketCommunicator(application, "notes/shopping", user=AnonymousUser())
    is_open, _ = await communicator.connect()
    assert not is_open
    await communicator.disconnect()


async def test_update_from_a_view_reaches_the_note_and_its_document(application: Any) -> None:
    sender: pycrdt.Doc[Any] = pycrdt.Doc()
    async with connected(application, "notes/shopping", user=someone()) as ada:
        sender.apply_update(ada.doc.get_update())
        before = sender.get_state()
        sender.get("body", type=pycrdt.Text).insert(4, " and honey")
        await sync_to_async(send_doc_update)("note-shopping", sender.get_update(before))
        await ada.wait_for_text("milk and honey")
        async with connected(application, "notes/shopping", user=someone()) as bob:
            assert str(bob.text) == "milk and honey"


async def test_observer_of_the_note_fires_for_what_clients_write(
    application: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="examples")
    async with connected(application, "notes/shopping", user=someone()) as ada:
        caplog.clear()
        await ada.write("!")
        await ada.synchronize()
        assert "Note note-shopping changed" in caplog.text
