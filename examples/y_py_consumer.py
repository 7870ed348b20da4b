"""Everything one can override of `YjsConsumer`, with a document of y-py.

    urlpatterns = [path("notes/<str:room>", NoteConsumer.as_asgi())]

The document lives in the server process and is fed what clients send: only for writers you trust,
see the docstring of `YjsConsumer`. y-py has wheels up to Python 3.12; `pycrdt_consumer` goes on.
"""

from __future__ import annotations

import logging
from typing import Any

import y_py
from django.core.cache import cache

from collab.consumers import YjsConsumer
from collab.protocol import create_update_message

logger = logging.getLogger(__name__)

#: The same in every process, so that two that open a room at once write the same first items.
SEED_CLIENT_ID = 1


class NoteConsumer(YjsConsumer):
    """A note for everyone who is signed in, started from the text that is kept of it."""

    def make_room_name(self) -> str:
        return "note-" + str(self.scope["url_route"]["kwargs"]["room"])

    async def make_ydoc(self) -> y_py.YDoc:
        doc = y_py.YDoc(client_id=SEED_CLIENT_ID)
        body = doc.get_text("body")
        text = await cache.aget(f"{self.room_name}.text", "")
        doc.transact(lambda transaction: body.extend(transaction, text))
        doc.observe_after_transaction(self.on_update_event)
        return doc

    async def connect(self) -> None:
        user = self.scope["user"]
        if user is None or user.is_anonymous:
            await self.close()
            return
        await super().connect()

    def on_update_event(self, event: y_py.AfterTransactionEvent) -> None:
        logger.info("Note %s changed by %d bytes", self.room_name, len(event.get_update()))

    async def doc_update(self, update_wrapper: dict[str, Any]) -> None:
        """Called with what `send_doc_update("note-…", update)` was given, from a view or a job."""
        update = update_wrapper["update"]
        y_py.apply_update(self.ydoc, update)
        await self.group_send_message(create_update_message(update))
