"""`manage.py serve`: the one way to start the server."""

from __future__ import annotations

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.migrations.executor import MigrationExecutor

from backend.server import serve


class Command(BaseCommand):
    help = "Serve HTTP and WebSocket until SIGTERM or Ctrl+C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.ENVIRONMENT.host, help="address to listen on")
        parser.add_argument("--port", type=_port, default=settings.ENVIRONMENT.port, help="port to listen on")
        parser.add_argument("--workers", type=_count, default=1, help="number of processes")

    def handle(self, *, host: str, port: int, workers: int, **options: Any) -> None:
        if workers > 1 and not settings.ENVIRONMENT.redis_url:
            raise CommandError(
                f"--workers {workers} needs REDIS_URL: without Redis, processes can't tell each other "
                "about updates and access changes. Set REDIS_URL=redis://host:port/0, or use one worker."
            )
        _check_database()
        address = f"[{host}]" if ":" in host else host
        self.stdout.write(
            f"Gatehouse serves http://{address}:{port} with {workers} process(es). Ctrl+C ends it."
        )
        self.stdout.flush()
        serve(host, port, workers, settings.COLLAB_LIMITS, settings.ENVIRONMENT.trusted_proxies)


def _check_database() -> None:
    """Refuse to start on a database that does not answer or lacks migrations, and say so."""
    connection = connections[DEFAULT_DB_ALIAS]
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except OperationalError as error:
        raise CommandError(f"The database of DATABASE_URL does not answer: {error}") from error
    finally:
        connection.close()
    if missing:
        raise CommandError(f"{len(missing)} migrations are not applied. Run: manage.py migrate")


def _port(value: str) -> int:
    number = int(value)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("expected a port from 0 to 65535")
    return number


def _count(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError("expected at least 1")
    return number
