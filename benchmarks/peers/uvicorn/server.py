"""A relay on the same uvicorn, which checks, keeps and knows nothing: what Python can hardly go below."""

import os

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

SYNC_STEP_1, SYNC_STEP_2 = b"\x00\x00\x01\x00", b"\x00\x01\x02\x00\x00"  # of an empty document

rooms = {}


class OpenSocket(WebSocketsSansIOProtocol):
    """Shows its transport to the application, so that a frame is made once for all."""

    def handle_connect(self, event):
        super().handle_connect(event)
        self.scope["extensions"]["transport"] = self.transport


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    own = scope["extensions"]["transport"]
    room = rooms.setdefault(scope["path"], set())
    room.add(own)
    await send({"type": "websocket.send", "bytes": SYNC_STEP_1})
    while (message := await receive())["type"] == "websocket.receive":
        frame = message["bytes"]
        if frame.startswith(SYNC_STEP_1[:2]):
            await send({"type": "websocket.send", "bytes": SYNC_STEP_2})
        elif frame != SYNC_STEP_2:
            prepared = Frame(Opcode.BINARY, frame).serialize(mask=False)
            for other in room:
                if other is not own:
                    other.write(prepared)
    room.discard(own)


if __name__ == "__main__":
    port = int(os.environ["PORT"])
    uvicorn.run(app, port=port, log_level="warning", ws=OpenSocket, ws_per_message_deflate=False)
