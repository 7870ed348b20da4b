"""Nothing secret reaches a log."""

from __future__ import annotations

import logging

import pytest

from backend.logs import RedactSecrets

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoiMSJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("line", "cleaned"),
    [
        ("/ws/room?token=abc", "/ws/room?token=[redacted]"),
        ("/ws/room?x=1&token=abc&y=2", "/ws/room?x=1&token=[redacted]&y=2"),
        ("/ws/room?ticket=abc HTTP/1.1", "/ws/room?ticket=[redacted] HTTP/1.1"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
        ("/links/abc", "/links/[redacted]"),
        ("Not Found: /invitations/a-b:c?room=7", "Not Found: /invitations/[redacted]?room=7"),
        ("/register?invitation=a:b&next=/", "/register?invitation=[redacted]&next=/"),
        ("/api/v1/invitations/accept/", "/api/v1/invitations/accept/"),
        ("/api/v1/rooms/7/share-links/9/", "/api/v1/rooms/7/share-links/9/"),
        (f"refused {JWT} today", "refused [redacted] today"),
        ("Token is expired.", "Token is expired."),
        ("/api/v1/token/ 200", "/api/v1/token/ 200"),
    ],
)
def test_secrets_in_message_and_arguments_are_replaced(line: str, cleaned: str) -> None:
    record = logging.LogRecord("name", logging.INFO, __file__, 1, "%s - %s", (line, 7), None)
    assert RedactSecrets().filter(record)
    assert record.getMessage() == f"{cleaned} - 7"
