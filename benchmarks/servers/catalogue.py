"""All servers, by name."""

from __future__ import annotations

from benchmarks.servers.base import Server
from benchmarks.servers.gatehouse import Gatehouse, GatehousePair, GatehousePostgres
from benchmarks.servers.peers import (
    Hocuspocus,
    HocuspocusSQLite,
    PycrdtWebsocket,
    Uvicorn,
    YpyWebsocket,
    YWebsocket,
)

#: Those that are compared.
COMPARED: tuple[type[Server], ...] = (
    Gatehouse,
    YWebsocket,
    Hocuspocus,
    HocuspocusSQLite,
    PycrdtWebsocket,
    YpyWebsocket,
)
#: And where it is about what updates cost, what none of them in Python can go below.
WITH_FLOOR: tuple[type[Server], ...] = (*COMPARED, Uvicorn)
_ALL: tuple[type[Server], ...] = (*WITH_FLOOR, GatehousePostgres, GatehousePair)
SERVERS: dict[str, type[Server]] = {server.name: server for server in _ALL}
