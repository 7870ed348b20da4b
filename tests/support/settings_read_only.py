"""Settings of a server whose SQLite file can't be written, as on a file system that went read-only."""

from backend.settings import *  # noqa: F403
from backend.settings import DATABASES

DATABASES["default"]["OPTIONS"]["init_command"] += " PRAGMA query_only=ON;"
