"""A y-websocket client of few lines, for consumers that run inside the test's own event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pycrdt
from asgiref.testing import ApplicationCommunicator

from collab.protocol import (
    SyncStep1,
    create_sync_step_1_message,
    create_sync_step_2_message,
    create_update_message,
    decode_message,
)

#: A machine may be busy; nothing that is expected takes nearly so long.
WAIT_S = 10.0


class WebsocketCommunicator(ApplicationCommunicator):
    """The client's end of a WebSocket, as ASGI messages. (The one in Channels imports daphne.)"""

    def __init__(
        self,
        application: Any,
        path: str,
        *,
        headers: list[tuple[bytes, bytes]] | None = None,
        subprotocols: list[str] | None = None,
        **scope: Any,
    ) -> None:
        path, _, query = path.partition("?")
        super().__init__(
            application,
            {
                "type": "websocket",
                "path": "/" + path.lstrip("/"),
                "query_string": query.encode(),
                "headers": headers or [],
                "subprotocols": subprotocols or [],
                **scope,
            },
        )

    async def receive_output(self, timeout: float = WAIT_S) -> dict[str, Any]:  # noqa: ASYNC109  # asgiref's
        return dict(await super().receive_output(timeout))

    async def wait(self, timeout: float = WAIT_S) -> None:  # noqa: ASYNC109
        await super().wait(timeout)

    async def connect(self) -> tuple[bool, str | int | None]:
        """Open; (True, subprotocol) or (False, close code)."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output()
        if answer["type"] == "websocket.close":
            return False, answer.get("code", 1000)
        return True, answer.get("subprotocol")

    async def send_bytes(self, data: bytes) -> None:
        await self.send_input({"type": "websocket.receive", "bytes": data})

    async def send_text(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def receive_bytes(self) -> bytes:
        """The next frame; anything else fails the test."""
        message = await self.receive_output()
        assert message["type"] == "websocket.send", message
        return bytes(message["bytes"])

    async def receive_close(self) -> tuple[int, str]:
        """Code and reason of the close; frames before it are passed over."""
        while (message := await self.receive_output())["type"] != "websocket.close":
            pass
        return message["code"], message.get("reason", "")

    async def disconnect(self, code: int = 1000) -> None:
        """Leave, and wait for the application to end."""
        await self.send_input({"type": "websocket.disconnect", "code": code})
        await self.wait()


class YjsClient:
    """Speaks the sync protocol for a `pycrdt.Doc` over a communicator."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self.communicator = communicator
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.text = self.doc.get("body", type=pycrdt.Text)

    async def synchronize(self) -> None:
        """Ask for everything; return when the answer is in the document."""
        await self.communicator.send_bytes(create_sync_step_1_message(self.doc.get_state()))
        while await self.receive() != 1:
            pass

    async def write(self, text: str) -> bytes:
        """Append to the text and send that; give the update."""
        before = self.doc.get_state()
        self.text += text
        update = self.doc.get_update(before)
        await self.communicator.send_bytes(create_update_message(update))
        return update

    async def receive(self) -> int:
        """Take the next sync message in; give its type (0, 1, 2). Others are passed over."""
        while True:
            frame = await self.communicator.receive_bytes()
            if frame[0] == 0:
                break
        message = decode_message(frame)
        if isinstance(message, SyncStep1):
            answer = create_sync_step_2_message(self.doc.get_update(message.state_vector))
            await self.communicator.send_bytes(answer)
        else:
            self.doc.apply_update(message.update)  # type: ignore[union-attr]
        return frame[1]

    async def wait_for_text(self, text: str) -> None:
        while str(self.text) != text:
            await self.receive()


@asynccontextmanager
async def connected(application: Any, path: str, **scope: Any) -> AsyncIterator[YjsClient]:
    """A client that has joined and is level; it leaves at the end."""
    communicator = WebsocketCommunicator(application, path, **scope)
    is_open, _ = await communicator.connect()
    assert is_open
    client = YjsClient(communicator)
    await client.synchronize()
    yield client
    await communicator.disconnect()
