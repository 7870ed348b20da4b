"""Somebody who types in a room without a pause, and what their socket was told about it, by the clock."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any, Self

import pycrdt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from collab.protocol import (
    SyncStep2,
    create_sync_step_1_message,
    create_update_message,
    decode_message,
)

PAUSE_S = 0.15
WAIT_S = 10.0
_DENIED = b"\x02\x00"
_UPDATE = b"\x00\x02"


class Typist:
    """Types `0 1 2 …`, each number an update of its own. Times are those of `time.monotonic`.

    `typed_at`: when each number was sent. `denied_at`: when they were first told that they may not write.
    `closed_at`, `code`: the end of the socket, if it was not their own. `late_s`: the latest that this
    process came to type, which tells how busy the machine is.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.typed_at: list[float] = []
        self.late_s = 0.0
        self.denied_at: float | None = None
        self.closed_at: float | None = None
        self.code: int | None = None
        self._socket = socket
        self._doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self._text = self._doc.get("body", type=pycrdt.Text)
        self._echoes: list[bytes] = []
        self._moved = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def begin(cls, url: str) -> Self:
        """Open a socket; return when the first number is committed, and go on typing."""
        socket = await connect(url, compression=None, proxy=None, open_timeout=WAIT_S)
        typist = cls(socket)
        typist._tasks = [asyncio.create_task(typist._listen()), asyncio.create_task(typist._type())]
        await typist.wait_until(lambda: typist.acknowledged >= 0 or typist.is_told)
        assert not typist.is_told, f"{typist.code}, before anything was taken away"
        return typist

    @property
    def acknowledged(self) -> int:
        """The last number that was committed, -1 for none."""
        echoed: pycrdt.Doc[Any] = pycrdt.Doc()
        for frame in self._echoes:
            echoed.apply_update(decode_message(frame).update)  # type: ignore[union-attr]
        return len(_numbers_in(echoed)) - 1

    @property
    def is_told(self) -> bool:
        """Whether they have lost anything."""
        return self.denied_at is not None or self.closed_at is not None

    async def wait_until(self, condition: Any, timeout_s: float = WAIT_S) -> None:
        """Wait for something that the socket brings about."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._moved.clear()
                await self._moved.wait()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    async def _type(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                before = self._doc.get_state()
                number = len(self.typed_at)
                self._text += f"{number} "
                update = self._doc.get_update(before)
                self.typed_at.append(time.monotonic())
                await self._socket.send(create_update_message(update))
                await asyncio.sleep(PAUSE_S)
                self.late_s = max(self.late_s, time.monotonic() - self.typed_at[-1] - PAUSE_S)

    async def _listen(self) -> None:
        try:
            async for frame in self._socket:
                assert isinstance(frame, bytes)
                if frame.startswith(_DENIED):
                    self.denied_at = self.denied_at or time.monotonic()
                elif frame.startswith(_UPDATE):
                    self._echoes.append(frame)
                self._moved.set()
        except ConnectionClosed:
            pass
        self.closed_at, self.code = time.monotonic(), self._socket.close_code
        self._moved.set()


async def numbers_in(url: str) -> list[int]:
    """What a newcomer finds of what was typed."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    async with connect(url, compression=None, proxy=None, open_timeout=WAIT_S) as socket:
        await socket.send(create_sync_step_1_message(doc.get_state()))
        async with asyncio.timeout(WAIT_S):
            while True:
                frame = await socket.recv()
                assert isinstance(frame, bytes)
                message = decode_message(frame) if frame[0] == 0 else None
                if isinstance(message, SyncStep2):
                    doc.apply_update(message.update)
                    return _numbers_in(doc)


def _numbers_in(doc: pycrdt.Doc[Any]) -> list[int]:
    return [int(number) for number in str(doc.get("body", type=pycrdt.Text)).split()]
