"""Is the process alive, and can it do its work: `/healthz`, `/readyz`."""

from __future__ import annotations

import asyncio

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse

from collab.live import get_engine

PATIENCE_S = 2.0


async def healthz(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers."""
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """200 when database, channel layer and live engine are ready, else 503; says which is not."""
    checks = {
        "database": await _is_database_ready(),
        "layer": await _is_layer_ready(),
        "engine": not get_engine().is_draining,
    }
    status = 200 if all(checks.values()) else 503
    return JsonResponse({name: "ok" if ok else "unavailable" for name, ok in checks.items()}, status=status)


async def _is_database_ready() -> bool:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await database_sync_to_async(_ask_database)()
    except (Error, TimeoutError):
        return False
    return True


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def _is_layer_ready() -> bool:
    layer = get_channel_layer()
    try:
        async with asyncio.timeout(PATIENCE_S):
            channel = await layer.new_channel("health")
            await layer.send(channel, {"type": "health"})
            await layer.receive(channel)
    except Exception:  # noqa: BLE001 - each layer has errors of its own
        return False
    return True
