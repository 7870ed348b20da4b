"""HTTP requests, each answered in one go in one of a few threads that stay.

Django's own handler starts a thread for each request, which connects to the database anew, and goes there
and back for each middleware.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import DEFAULT_DB_ALIAS, close_old_connections, connection, connections
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

#: Requests that are answered at a time; others wait for their turn.
THREADS = 40

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def _keep_connection() -> None:
    """Give this thread a database connection that stays open, where there is no pool of them."""
    own = connection.copy()
    if "pool" not in own.settings_dict["OPTIONS"]:
        own.settings_dict["CONN_MAX_AGE"] = None
        connections[DEFAULT_DB_ALIAS] = own


_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="http", initializer=_keep_connection)


class ThreadHandler(ASGIHandler):
    """See the module. A request whose client has gone is answered to its end, a file that streams is not.

    For views that are functions: one that is a coroutine keeps its thread waiting.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        """Load it for synchronous use, whatever is asked for."""
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with body:
            answer = sync_to_async(self._answer, thread_sensitive=False, executor=_threads)
            response = await answer(scope, body)
        if response.streaming:
            await self._stream(response, receive, send)
        else:
            await self.send_response(response, send)

    def _answer(self, scope: Scope, body: IO[bytes]) -> HttpResponseBase:
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response = refusal if request is None else self.get_response(request)
        assert response is not None  # it is one or the other
        if response.streaming:
            close_old_connections()
        else:
            response.close()  # the end of the request, which does that too
        return response

    async def _stream(self, response: HttpResponseBase, receive: Receive, send: Send) -> None:
        """Send it until its end, or that of its client."""
        async with ThreadSensitiveContext():
            tasks = [asyncio.ensure_future(each) for each in (self.send_response(response, send), receive())]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                sent, _ = await asyncio.gather(*tasks, return_exceptions=True)
                await sync_to_async(response.close)()
        if isinstance(sent, Exception):  # and not a cancellation, which leaves the message without its end
            raise sent
