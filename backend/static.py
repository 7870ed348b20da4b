"""Static files of the API docs and the admin site, in every mode and without a collecting step.

A proxy in front may serve them instead; the set is small and does not change while the server runs.
"""

from __future__ import annotations

import contextlib

from django.contrib.staticfiles.views import serve
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase


def serve_static(request: HttpRequest, path: str) -> HttpResponseBase:
    """One file, read whole: under ASGI Django warns of every file that is streamed from a thread."""
    response = serve(request, path, insecure=True)
    if not isinstance(response, FileResponse):
        return response
    with contextlib.closing(response):
        return HttpResponse(response.getvalue(), headers=dict(response.headers))
