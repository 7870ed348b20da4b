"""pycrdt-websocket behind uvicorn, as its documentation starts it: rooms live in memory."""

import os

import uvicorn
from pycrdt.websocket import ASGIServer, WebsocketServer

websocket_server = WebsocketServer()
application = ASGIServer(websocket_server)


async def app(scope, receive, send):
    """The documentation starts the websocket server beside uvicorn; the lifespan does the same."""
    if scope["type"] != "lifespan":
        await application(scope, receive, send)
        return
    await receive()
    async with websocket_server:
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
