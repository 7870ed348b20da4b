"""Is the process alive, and can it do its work: `/healthz`, `/readyz`."""

from __future__ import annotations

import asyncio

from channels.db import database_sync_to_async
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse

from collab.live import get_engine

PATIENCE_S = 2.0


async def healthz(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers."""
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """200 when database, channel layer and live engine are ready, else 503; says which is not."""
    engine = get_engine()
    checks = {
        "database": await _is_database_ready(),
        "layer": engine.hears_others,
        "engine": not engine.is_draining,
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
