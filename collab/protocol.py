"""The y-websocket codec, for applications: `from collab.protocol import create_update_message`."""

from collab.engine.protocol import (
    AwarenessMessage,
    Message,
    QueryAwareness,
    SyncStep1,
    SyncStep2,
    Update,
    create_awareness_message,
    create_permission_denied_message,
    create_sync_step_1_message,
    create_sync_step_2_message,
    create_update_message,
    decode_message,
)

__all__ = [
    "AwarenessMessage",
    "Message",
    "QueryAwareness",
    "SyncStep1",
    "SyncStep2",
    "Update",
    "create_awareness_message",
    "create_permission_denied_message",
    "create_sync_step_1_message",
    "create_sync_step_2_message",
    "create_update_message",
    "decode_message",
]
