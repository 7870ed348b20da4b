"""Logging without secrets: tokens and tickets that stand in a URL or a header never reach a handler."""

from __future__ import annotations

import logging
import re
from typing import Any

_SECRETS = re.compile(
    r"(?P<name>(?:^|[?&;\s])(?:token|ticket|access|refresh|password|invitation)=|\bBearer\s+)[^&\s\"']+",
    re.IGNORECASE,
)
#: Addresses of the page that end with a secret; `/api/v1/invitations/` is none of them.
_PATHS = re.compile(r"(?<!/v1)(?P<path>/(?:invitations|links)/)[^\s/?\"']+")
_JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+")


def redact(text: str) -> str:
    """Replace every token, ticket and password in a log line by `[redacted]`."""
    text = _PATHS.sub(r"\g<path>[redacted]", _SECRETS.sub(r"\g<name>[redacted]", text))
    return _JWT.sub("[redacted]", text)


class RedactSecrets(logging.Filter):
    """Cleans the message and its arguments, keeping their shape for formatters that want it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.msg) if isinstance(record.msg, str) else record.msg
        if isinstance(record.args, tuple):
            record.args = tuple(_redacted(value) for value in record.args)
        return True


def _redacted(value: Any) -> Any:
    return redact(value) if isinstance(value, str) else value
