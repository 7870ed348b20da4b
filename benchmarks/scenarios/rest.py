"""The REST calls that a front end makes most."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from benchmarks.generator import Load
from benchmarks.scenarios.base import LOAD_COLUMN, Column, Launch, Outcome, Scenario, metered
from benchmarks.servers.base import Plan
from benchmarks.servers.gatehouse import Gatehouse

#: What a user may ask for in a time is not what is measured; that it is counted is.
NO_LIMIT = {"THROTTLE_USER": "1000000/minute"}


@dataclass(frozen=True)
class Rest(Scenario):
    """`kind` list: the first page of a user's rooms. share: a room is shared with one more user."""

    servers: ClassVar = (Gatehouse,)
    kind: str
    rooms: int = 100
    requests: int = 1_000
    in_flight: int = 4

    columns: ClassVar = (
        Column("cpu_us", "CPU, µs a request", 0),
        Column("per_s", "requests/s", 0),
        Column("p50_ms", "p50, ms"),
        Column("p95_ms", "p95, ms"),
        LOAD_COLUMN,
    )

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"rest-{self.kind}"

    @property
    def title(self) -> str:
        what = f"the list of {self.rooms} rooms" if self.kind == "list" else "sharing a room"
        return f"REST: {what}, {self.requests} requests, {self.in_flight} at a time"

    def quick(self) -> Rest:
        return replace(self, requests=100)

    def measure(self, launch: Launch, load: Load) -> Outcome:
        outsiders = self.requests // self.rooms + 1
        with launch(Plan(rooms=self.rooms, outsiders=outsiders, limits=NO_LIMIT)) as server:
            requests = [self._request(server, number) for number in range(self.requests + self.in_flight)]
            warm, rest = requests[: self.in_flight], requests[self.in_flight :]
            load.call("requests", port=server.port, requests=warm, inFlight=self.in_flight)
            with metered(server, load) as cost:
                result = load.call("requests", port=server.port, requests=rest, inFlight=self.in_flight)
        wrong = {
            status: count for status, count in result["statuses"].items() if status not in {"200", "201"}
        }
        return Outcome(
            {
                "cpu_us": cost.cpu_us_per(len(rest)),
                "per_s": len(rest) / result["seconds"],
                "p50_ms": result["times"]["p50"],
                "p95_ms": result["times"]["p95"],
                "load_percent": cost.load_percent,
            },
            [f"{count} answers were {status}" for status, count in wrong.items()],
        )

    def _request(self, server: Gatehouse, number: int) -> dict[str, Any]:
        token = server.token(0)
        if self.kind == "list":
            return {"method": "GET", "path": "/api/v1/rooms/", "token": token}
        outsider, room = divmod(number, self.rooms)
        return {
            "method": "POST",
            "path": f"/api/v1/rooms/{server.rooms[room]}/members/",
            "token": token,
            "body": {"email": f"outsider-{outsider}@example.com", "role": "editor"},
        }
