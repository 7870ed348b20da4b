"""What one client, connection or room may cost; see `.env.example` for what happens at each bound."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the live engine. Sizes in bytes, times in the unit their name ends in."""

    max_message_bytes: int = 4 * MIB
    max_structs_per_update: int = 200_000
    max_document_bytes: int = 64 * MIB
    max_connections_per_room: int = 1_000
    max_connections_per_user_and_room: int = 20
    messages_per_s: int = 200
    message_burst: int = 1_000
    work_percent: int = 10
    max_awareness_bytes: int = 16 * 1024
    max_client_ids: int = 8
    auth_timeout_s: int = 10
    max_unauthenticated_bytes: int = 64 * 1024
    max_unauthenticated_rooms: int = 16
    outbox_bytes: int = 8 * MIB
    access_lease_s: int = 15
    commit_interval_ms: int = 20
