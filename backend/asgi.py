"""The one application: HTTP, WebSocket and the life of the process.

WebSocket ▶ origin check ▶ JWT middleware ▶ route ▶ RoomConsumer | HocuspocusConsumer
"""

from __future__ import annotations

import os
from collections.abc import Callable, MutableMapping
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
asynchronous = get_asgi_application()  # loads the apps, which everything below needs

from accounts.middleware import Check, JWTAuthMiddleware  # noqa: E402
from accounts.models import User  # noqa: E402
from accounts.tokens import Credential  # noqa: E402
from backend.handler import ThreadHandler  # noqa: E402
from backend.origin import OriginCheck, refuse_handshake  # noqa: E402
from backend.server import end_with_parent, keep_long_blocks_apart, set_apart_what_stays  # noqa: E402
from collab.consumers import HocuspocusConsumer, RoomConsumer  # noqa: E402
from collab.live import get_engine, stop_engine  # noqa: E402

#: What has to answer when no thread is free, and when the database does not.
PROBES = frozenset({"/healthz", "/readyz"})

synchronous = ThreadHandler()


async def http(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """All requests but probes are answered in threads."""
    await (asynchronous if scope["path"] in PROBES else synchronous)(scope, receive, send)


async def lifespan(
    scope: MutableMapping[str, Any], receive: Callable[..., Any], send: Callable[..., Any]
) -> None:
    """Start the live engine before the first request, and let it save everything after the last."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            end_with_parent()
            get_engine()
            set_apart_what_stays()
            keep_long_blocks_apart()
            await send({"type": "lifespan.startup.complete"})
        else:
            await stop_engine()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def authenticate(check: Check) -> tuple[User, Credential]:
    """Check credentials where the live engine has connections that stay open."""
    return await get_engine().access.authenticate(check)


websocket = URLRouter(
    [
        path("ws/<str:room>", RoomConsumer.as_asgi()),
        path("collaboration", HocuspocusConsumer.as_asgi()),
        re_path("", refuse_handshake),  # type: ignore[arg-type]  # Channels routes to ASGI applications
    ]
)

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": OriginCheck(JWTAuthMiddleware(websocket, in_thread=authenticate)),
        "lifespan": lifespan,
    }
)
