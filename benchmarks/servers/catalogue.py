"""All servers, by name."""

from __future__ import annotations

from benchmarks.servers.base import Server
from benchmarks.servers.gatehouse import Gatehouse, GatehousePair, GatehousePostgres
from benchmarks.servers.peers import (
    Hocuspocus,
    HocuspocusSQLite,
    PycrdtWebsocket,
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
_ALL: tuple[type[Server], ...] = (*COMPARED, GatehousePostgres, GatehousePair)
SERVERS: dict[str, type[Server]] = {server.name: server for server in _ALL}
