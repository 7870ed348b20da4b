"""The page that `make frontend` builds: `index.html` for every route of it, and its assets.

The page routes by itself, so that each of its addresses answers with the same document. By its content
security policy it loads and runs what this server sends, and nothing else: no inline script or style, and
nothing of another host.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect, JsonResponse
from django.urls import resolve
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import condition, require_safe

from api.errors import error_body

#: `/assets/name-<hash>.js` never changes: another content has another name.
_HASHED = re.compile(r"-[\w-]{8}\.\w+$")
#: What `vite.config.ts` puts beside a file, best first.
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_IMMUTABLE = "public, max-age=31536000, immutable"

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

_NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Gatehouse</title>
<link rel="stylesheet" href="/assets/not-built.css">
<main>
<h1>Gatehouse serves</h1>
<p>The API is there, and so are the sockets of your rooms. This page is not built yet: run</p>
<pre>make frontend</pre>
<p>in the project, then load it again. It needs the npm registry once; Node comes by itself.</p>
<ul>
<li><a href="/api/docs/">The REST API, to try out</a>
<li><a href="/api/schema/">Its OpenAPI schema</a>
<li><a href="/admin/">The admin site</a>
</ul>
</main>
</html>
"""
_NOT_BUILT_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; display: grid; min-height: 100dvh; place-items: center; line-height: 1.6;
  font-family: system-ui, sans-serif;
  background: light-dark(#f7f7f9, #0f1014); color: light-dark(#16171d, #ececf1); }
main { box-sizing: border-box; width: min(32rem, 100%); padding: 2rem; }
h1 { font-size: 1.5rem; letter-spacing: -0.01em; }
pre { padding: .75rem 1rem; border-radius: 8px; background: light-dark(#e8e8ee, #1a1b21); }
ul { padding-left: 1.2rem; }
a { color: light-dark(#4f46e5, #8b87ff); }
"""


def _index() -> bytes | None:
    try:
        return (settings.PAGE_DIR / "index.html").read_bytes()
    except FileNotFoundError:
        return None


def _etag_of_index(request: HttpRequest, **_: object) -> str | None:
    content = _index()
    return None if content is None else f'"{hashlib.sha256(content).hexdigest()[:32]}"'


@require_safe
@condition(etag_func=_etag_of_index)
def index(request: HttpRequest, **_: object) -> HttpResponse:
    """The page, whichever of its routes was asked for."""
    content = _index()
    return HttpResponse(_NOT_BUILT if content is None else content, headers=_HEADERS)


@require_safe
def asset(request: HttpRequest, name: str) -> HttpResponse:
    """One file of `assets/`; compressed if there is such a one and the client takes it."""
    path = settings.PAGE_DIR / "assets" / name
    if name == "not-built.css":
        return HttpResponse(_NOT_BUILT_STYLE, content_type="text/css", headers=_HEADERS)
    encoding, content = _read(path, request.headers.get("Accept-Encoding", ""))
    response = HttpResponse(content, content_type=_type_of(path), headers=_HEADERS)
    if encoding:
        response["Content-Encoding"] = encoding
    if _HASHED.search(name):
        response["Cache-Control"] = _IMMUTABLE
    patch_vary_headers(response, ["Accept-Encoding"])
    return response


@csrf_exempt
def nothing_here(request: HttpRequest) -> HttpResponse:
    """Any path that is no route: the page says so in a browser, and JSON elsewhere."""
    is_read = request.method in {"GET", "HEAD"} and not request.path.endswith("/")
    if is_read and resolve(f"{request.path_info}/").func is not nothing_here:
        return HttpResponsePermanentRedirect(request.get_full_path(force_append_slash=True))
    content = _index()
    if content is None or request.get_preferred_type(["application/json", "text/html"]) != "text/html":
        return JsonResponse(error_body("not_found", "There is nothing here."), status=404)
    return HttpResponse(content, status=404, headers=_HEADERS)


def _read(path: Path, accepted: str) -> tuple[str, bytes]:
    offers = (offer.replace(" ", "").partition(";q=") for offer in accepted.split(","))
    taken = {encoding for encoding, _, quality in offers if quality.strip("0.") or not quality}
    for encoding, suffix in _ENCODINGS:
        if encoding in taken:
            try:
                return encoding, path.with_name(path.name + suffix).read_bytes()
            except FileNotFoundError:
                continue
    try:
        return "", path.read_bytes()
    except OSError as error:
        raise Http404 from error


def _type_of(path: Path) -> str:
    if path.suffix == ".js":
        return "text/javascript; charset=utf-8"  # what the operating system says of it differs
    if path.suffix == ".webmanifest":
        return "application/manifest+json"
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
