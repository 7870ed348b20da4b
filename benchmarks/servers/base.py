"""What a scenario asks of a server."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from tests.support.processes import free_port

START_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Door:
    """Where one client comes in. `room` is a number; `port` differs where there are several processes."""

    room: int
    path: str
    document: str | None = None
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How much has to be there before the first client comes, and limits that a scenario goes beyond."""

    rooms: int = 1
    clients_per_room: int = 1
    #: Users without access to anything.
    outsiders: int = 0
    #: Variables of Gatehouse; peers have no such limits.
    limits: Mapping[str, int | str] = field(default_factory=dict)


class Server(ABC):
    """One server; `start()` and `stop()` once, on a port of its own."""

    name: ClassVar[str]
    title: ClassVar[str]
    dialect: ClassVar[str] = "y-websocket"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()

    @classmethod
    @abstractmethod
    def install(cls, cache: Path) -> None:
        """Have it ready to start, if it is not.

        Raises:
            MissingError: it can't be had on this machine.
        """

    @abstractmethod
    def start(self, plan: Plan) -> None:
        """Start it, with what the plan asks for; it answers when this returns."""

    @abstractmethod
    def stop(self) -> None:
        """End it, gently if it can."""

    @property
    @abstractmethod
    def pids(self) -> tuple[int, ...]:
        """The processes whose trees are the server."""

    @abstractmethod
    def door(self, room: int, client: int = 0) -> Door:
        """Where the client of that number comes into that room."""

    def doors(self, rooms: int, clients_per_room: int) -> list[Door]:
        """One for each client, room after room and then the next client of each."""
        return [self.door(room, client) for client in range(clients_per_room) for room in range(rooms)]


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True
