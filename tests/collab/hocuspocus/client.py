"""A Hocuspocus client of few lines: many documents over one communicator, frame by frame."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pycrdt

from collab.engine.encoding import read_var_bytes, write_var_bytes
from collab.engine.protocol import (
    SyncStep1,
    SyncStep2,
    Update,
    create_sync_step_1_message,
    create_sync_step_2_message,
    create_update_message,
    decode_message,
)
from tests.collab.client import WebsocketCommunicator

AUTHENTICATED = bytes.fromhex("02020a726561642d7772697465")
READ_ONLY = bytes.fromhex("020208726561646f6e6c79")
SAVED, REFUSED = b"\x08\x01", b"\x08\x00"
TOKEN_WANTED = b"\x02\x00"
LEAVE = b"\x07"


def token_message(token: str, version: str | None = "4.5.0") -> bytes:
    """Auth, with the version as v4 sends it, or without as v3."""
    message = b"\x02\x00" + write_var_bytes(token.encode())
    return message if version is None else message + write_var_bytes(version.encode())


def denied_message(reason: str) -> bytes:
    return b"\x02\x01" + write_var_bytes(reason.encode())


def close_message(reason: str) -> bytes:
    return b"\x07" + write_var_bytes(reason.encode())


def stateless_message(payload: str) -> bytes:
    return b"\x05" + write_var_bytes(payload.encode())


class HocuspocusSocket:
    """One socket: what comes is sorted by address, as the provider does it."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self.communicator = communicator
        self.received: list[tuple[str, bytes]] = []
        self._seen = 0

    @classmethod
    async def open(cls, application: Any, query: str = "", **scope: Any) -> HocuspocusSocket:
        communicator = WebsocketCommunicator(application, f"collaboration?{query}", **scope)
        is_open, _ = await communicator.connect()
        assert is_open
        return cls(communicator)

    async def send(self, address: str | UUID, message: bytes) -> None:
        await self.communicator.send_bytes(write_var_bytes(str(address).encode()) + message)

    async def receive(self) -> tuple[str, bytes]:
        """The next message, with the address it is for."""
        frame = await self.communicator.receive_bytes()
        address, pos = read_var_bytes(frame, 0)
        self.received.append((address.decode(), frame[pos:]))
        return self.received[-1]

    async def wait_for(self, address: str | UUID, prefix: bytes) -> bytes:
        """The first message to the address from now on that begins so; others are passed over."""
        while True:
            came_for, message = await self.receive()
            if came_for == str(address) and message.startswith(prefix):
                return message

    async def is_quiet(self) -> bool:
        """Whether nothing waits, after the server has answered a ping."""
        await self.communicator.send_bytes(b"\x09")
        return await self.communicator.receive_bytes() == b"\x0a"

    async def receive_close(self) -> tuple[int, str]:
        return await self.communicator.receive_close()

    async def disconnect(self) -> None:
        await self.communicator.disconnect()


class HocuspocusDocument:
    """A `pycrdt.Doc` that is in step with one address of a socket."""

    def __init__(self, socket: HocuspocusSocket, address: str | UUID) -> None:
        self.socket = socket
        self.address = str(address)
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.text = self.doc.get("body", type=pycrdt.Text)

    async def open(self, token: str = "") -> None:
        """As the provider does: token, question and all at once; returns when it is level and saved."""
        await self.send(token_message(token))
        await self.send(create_sync_step_1_message(self.doc.get_state()))
        while await self.receive() != SAVED:
            pass

    async def send(self, message: bytes) -> None:
        await self.socket.send(self.address, message)

    async def write(self, text: str) -> None:
        before = self.doc.get_state()
        self.text += text
        await self.send(create_update_message(self.doc.get_update(before)))

    async def receive(self) -> bytes:
        """Take the next message for it in, and answer questions."""
        while True:
            address, message = await self.socket.receive()
            if address == self.address:
                break
        if message[0] == 0:
            match decode_message(message):
                case SyncStep1(state_vector):
                    await self.send(create_sync_step_2_message(self.doc.get_update(state_vector)))
                case SyncStep2(update) | Update(update):
                    self.doc.apply_update(update)
        return message

    async def wait_for(self, message: bytes) -> None:
        while await self.receive() != message:
            pass

    async def wait_for_text(self, text: str) -> None:
        while str(self.text) != text:
            await self.receive()
