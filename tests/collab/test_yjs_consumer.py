"""The seed's consumer: works with a route and nothing else, and can be overridden in every part."""

from __future__ import annotations

from typing import Any

import pycrdt
import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from django.urls import path

from collab.consumers import YjsConsumer, send_doc_update
from collab.engine.errors import MalformedError
from collab.live import LiveEngine
from collab.protocol import create_awareness_message, create_update_message
from tests.collab.client import WebsocketCommunicator, connected

pytestmark = pytest.mark.usefixtures("engine")

application = URLRouter([path("ws/<str:room>", YjsConsumer.as_asgi())])


def an_update(text: str) -> bytes:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    doc["body"] = pycrdt.Text(text)
    return doc.get_update()


async def test_two_clients_of_a_room_converge() -> None:
    async with connected(application, "ws/one") as ada, connected(application, "ws/one") as bob:
        await ada.write("from Ada")
        await bob.wait_for_text("from Ada")
        await bob.write(" and Bob")
        await ada.wait_for_text("from Ada and Bob")


async def test_newcomer_gets_everything_with_the_first_sync_step_2() -> None:
    async with connected(application, "ws/late") as ada:
        await ada.write("early words")
        async with connected(application, "ws/late") as bob:
            assert str(bob.text) == "early words"


async def test_rooms_with_other_names_do_not_meet() -> None:
    async with connected(application, "ws/left") as ada, connected(application, "ws/right") as bob:
        await ada.write("only left")
        await bob.synchronize()
        assert str(bob.text) == ""


@pytest.mark.parametrize("name", ["with space", "ünïcödé", "x" * 255, "hashed-x", "collab.access"])
async def test_room_names_that_are_no_group_names_work(name: str) -> None:
    async with connected(application, f"ws/{name}") as ada, connected(application, f"ws/{name}") as bob:
        await ada.write("hello")
        await bob.wait_for_text("hello")


async def test_room_name_too_long_is_refused_4400() -> None:
    communicator = WebsocketCommunicator(application, "ws/" + "x" * 256)
    await communicator.connect()
    assert (await communicator.receive_close())[0] == 4400


async def test_update_from_synchronous_code_reaches_everyone() -> None:
    async with connected(application, "ws/sync") as ada, connected(application, "ws/sync") as bob:
        await sync_to_async(send_doc_update)("sync", an_update("from a view"))
        await ada.wait_for_text("from a view")
        await bob.wait_for_text("from a view")


async def test_group_message_of_the_seed_reaches_the_doc_update_handler() -> None:
    layer = get_channel_layer()
    async with connected(application, "ws/plain") as ada:
        await layer.group_send("plain", {"type": "doc_update", "update": an_update("as the seed sends it")})
        await ada.wait_for_text("as the seed sends it")


async def test_update_that_came_by_the_group_is_there_for_newcomers() -> None:
    async with connected(application, "ws/kept") as ada:
        await sync_to_async(send_doc_update)("kept", an_update("kept"))
        await ada.wait_for_text("kept")
        async with connected(application, "ws/kept") as bob:
            assert str(bob.text) == "kept"


class TalkingConsumer(YjsConsumer):
    """Answers messages to its group in every way the seed offers."""

    async def tell_one(self, event: dict[str, Any]) -> None:
        await self.send_message({"message": event["frame"]})

    async def tell_all(self, event: dict[str, Any]) -> None:
        await self.group_send_message(event["frame"])

    async def read_document(self, event: dict[str, Any]) -> None:
        text = str(self.ydoc.get_text("body") if hasattr(self.ydoc, "get_text") else self.ydoc["body"])
        await self.send_message({"message": b"\x03" + text.encode()})


talking = URLRouter([path("ws/<str:room>", TalkingConsumer.as_asgi())])


async def test_own_group_handler_sends_to_its_client() -> None:
    frame = create_awareness_message(b"\x00")
    async with connected(talking, "ws/talk") as ada:
        await get_channel_layer().group_send("talk", {"type": "tell_one", "frame": frame})
        assert await ada.communicator.receive_bytes() == frame


async def test_group_send_message_with_any_frame_reaches_every_client_as_it_is() -> None:
    frame = create_awareness_message(b"\x00")
    async with connected(talking, "ws/all") as ada, connected(talking, "ws/all") as bob:
        await get_channel_layer().group_send("all", {"type": "tell_all", "frame": frame})
        assert await ada.communicator.receive_bytes() == frame
        assert await bob.communicator.receive_bytes() == frame


async def test_ydoc_without_make_ydoc_follows_the_room() -> None:
    async with connected(talking, "ws/read") as ada:
        await ada.write("read me")
        await get_channel_layer().group_send("read", {"type": "read_document"})
        assert await ada.communicator.receive_bytes() == b"\x03read me"


async def test_ydoc_before_connect_says_what_is_missing() -> None:
    with pytest.raises(RuntimeError, match="super"):
        _ = YjsConsumer().ydoc


async def test_group_send_message_that_is_no_sync_message_raises() -> None:
    class BrokenConsumer(YjsConsumer):
        async def connect(self) -> None:
            await super().connect()
            with pytest.raises(MalformedError):
                await self.group_send_message(b"\x00\x02\x09\x00")

    async with connected(BrokenConsumer.as_asgi(), "/", url_route={"kwargs": {"room": "broken"}}):
        pass


class ClosedConsumer(YjsConsumer):
    """Turns everyone away as the seed's documentation does."""

    async def connect(self) -> None:
        await self.close()


async def test_consumer_that_closes_in_connect_refuses_and_ends_quietly() -> None:
    communicator = WebsocketCommunicator(ClosedConsumer.as_asgi(), "/")
    assert await communicator.connect() == (False, 1000)
    await communicator.disconnect()


class SeededConsumer(YjsConsumer):
    """Starts each room with a text, in a pycrdt document."""

    made = 0

    async def make_ydoc(self) -> pycrdt.Doc[Any]:
        type(self).made += 1
        doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=1)
        doc["body"] = pycrdt.Text("seed")
        return doc


seeded = URLRouter([path("ws/<str:room>", SeededConsumer.as_asgi())])


async def test_make_ydoc_seeds_an_empty_room_once() -> None:
    SeededConsumer.made = 0
    async with connected(seeded, "ws/seeded") as ada, connected(seeded, "ws/seeded") as bob:
        assert str(ada.text) == "seed"
        assert str(bob.text) == "seed"
    assert SeededConsumer.made == 1


async def test_make_ydoc_that_fails_closes_1011_and_the_next_one_tries_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class FailingOnce(SeededConsumer):
        async def make_ydoc(self) -> pycrdt.Doc[Any]:
            doc = await super().make_ydoc()
            if self.made == 1:
                raise OSError("the store is away")
            return doc

    FailingOnce.made = 0
    failing = URLRouter([path("ws/<str:room>", FailingOnce.as_asgi())])
    communicator = WebsocketCommunicator(failing, "ws/failing")
    await communicator.connect()
    assert (await communicator.receive_close())[0] == 1011
    assert "the store is away" in caplog.text
    async with connected(failing, "ws/failing") as ada:
        assert str(ada.text) == "seed"


async def test_make_ydoc_of_another_type_is_refused_by_name(caplog: pytest.LogCaptureFixture) -> None:
    class WrongConsumer(YjsConsumer):
        async def make_ydoc(self) -> str:
            return "no document"

    communicator = WebsocketCommunicator(
        URLRouter([path("ws/<str:room>", WrongConsumer.as_asgi())]), "ws/wrong"
    )
    await communicator.connect()
    assert (await communicator.receive_close())[0] == 1011
    assert "expected a y_py.YDoc or a pycrdt.Doc" in caplog.text


async def test_malformed_frame_closes_its_socket_4400_and_no_other() -> None:
    async with connected(application, "ws/hostile") as ada:
        bob = WebsocketCommunicator(application, "ws/hostile")
        await bob.connect()
        await bob.send_bytes(b"\x80\x00\x02\x00")
        assert (await bob.receive_close())[0] == 4400
        await ada.write("still here")
        await ada.synchronize()


async def test_text_frame_closes_its_socket_4400() -> None:
    async with connected(application, "ws/text") as ada:
        await ada.communicator.send_text("hello")
        assert (await ada.communicator.receive_close())[0] == 4400


async def test_yjs_subprotocol_is_selected_when_it_is_offered() -> None:
    communicator = WebsocketCommunicator(application, "ws/sub", subprotocols=["yjs", "x"])
    assert await communicator.connect() == (True, "yjs")
    await communicator.disconnect()


async def test_echo_of_a_room_in_memory_comes_at_once() -> None:
    async with connected(application, "ws/echo?echo=1") as ada:
        update = await ada.write("echo")
        assert await ada.communicator.receive_bytes() == create_update_message(update)


async def test_room_has_no_connections_after_everyone_left(engine: LiveEngine) -> None:
    async with connected(application, "ws/gone") as ada:
        await ada.write("gone")
    room = engine.unstored.find("gone")
    assert room is not None
    assert not room.connections


async def test_presence_of_a_client_that_leaves_is_taken_away() -> None:
    state = b"\x01\x07\x01\x0d" + b'{"name":"Bo"}'
    async with connected(application, "ws/presence") as ada:
        async with connected(application, "ws/presence") as bob:
            await bob.communicator.send_bytes(create_awareness_message(state))
            assert await ada.communicator.receive_bytes() == create_awareness_message(state)
        gone = create_awareness_message(b"\x01\x07\x02\x04null")
        assert await ada.communicator.receive_bytes() == gone


async def test_client_that_goes_while_it_is_let_in_is_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def send(message: dict[str, Any]) -> None:
        raise OSError("the socket is closed")

    consumer = YjsConsumer()
    consumer.scope = {"url_route": {"kwargs": {"room": "gone"}}, "subprotocols": [], "query_string": b""}
    consumer.base_send = send
    consumer.groups, consumer.channel_layer = [], None
    await consumer.connect()
    await consumer.disconnect(1006)
    [line] = [record for record in caplog.records if record.name == "collab.consumer"]
    assert (line.levelname, line.exc_info) == ("INFO", None)
