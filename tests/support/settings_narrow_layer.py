"""Settings of a server whose channels hold one message: whatever comes before that is read is lost."""

from backend.settings import *  # noqa: F403
from backend.settings import CHANNEL_LAYERS

CHANNEL_LAYERS["default"]["CONFIG"]["capacity"] = 1  # type: ignore[index]
