"""Everything one can override of `YjsConsumer`, with a document of pycrdt, y-py's successor.

    urlpatterns = [path("notes/<str:room>", NoteConsumer.as_asgi())]

The document lives in the server process and is fed what clients send: only for writers you trust,
see the docstring of `YjsConsumer`.
"""

from __future__ import annotations

import logging
from typing import Any

from django.core.cache import cache
from pycrdt import Doc, Text, TransactionEvent

from collab.consumers import YjsConsumer
from collab.protocol import create_update_message

logger = logging.getLogger(__name__)

#: The same in every process, so that two that open a room at once write the same first items.
SEED_CLIENT_ID = 1


class NoteConsumer(YjsConsumer):
    """A note for everyone who is signed in, started from the text that is kept of it."""

    def make_room_name(self) -> str:
        return "note-" + str(self.scope["url_route"]["kwargs"]["room"])

    async def make_ydoc(self) -> Doc[Any]:
        doc: Doc[Any] = Doc(client_id=SEED_CLIENT_ID)
        doc["body"] = Text(await cache.aget(f"{self.room_name}.text", ""))
        doc.observe(self.on_update_event)
        return doc

    async def connect(self) -> None:
        user = self.scope["user"]
        if user is None or user.is_anonymous:
            await self.close()
            return
        await super().connect()

    def on_update_event(self, event: TransactionEvent) -> None:
        logger.info("Note %s changed by %d bytes", self.room_name, len(event.update))

    async def doc_update(self, update_wrapper: dict[str, Any]) -> None:
        """Called with what `send_doc_update("note-…", update)` was given, from a view or a job."""
        update = update_wrapper["update"]
        self.ydoc.apply_update(update)
        await self.group_send_message(create_update_message(update))
