"""Static files of the API docs and the admin site, in every mode and without a collecting step.

A proxy in front may serve them instead; the set is small and does not change while the server runs.
"""

from __future__ import annotations

from django.contrib.staticfiles.views import serve
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase


def serve_static(request: HttpRequest, path: str) -> HttpResponseBase:
    """One file, read whole: under ASGI Django warns of every file that is streamed from a thread."""
    response = serve(request, path, insecure=True)
    if not isinstance(response, FileResponse) or response.file_to_stream is None:
        return response
    # Not response.close(): that would announce the end of a request that is still being answered.
    with response.file_to_stream as file:
        return HttpResponse(file.read(), headers=dict(response.headers))
