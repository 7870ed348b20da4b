"""`ETag` and `If-Match` (RFC 9110, section 13.1.1): whose change was made to something older is told so.

An ETag is the version of what a PATCH may change, for all callers the same. It is a strong one, because
`If-Match` compares strongly: a weak one in there, which a proxy that compresses may have made of ours,
matches nothing. No GET is answered 304: what else a payload tells, such as the caller's role, is not in it.
"""

from __future__ import annotations

from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from accounts.models import Versioned
from accounts.versions import version_of


def etag_of(row: Versioned) -> str:
    return f'"{version_of(row)}"'


def versions_of(request: Request) -> frozenset[str] | None:
    """The versions in `If-Match`; None where any will do: without the header, and with `*`."""
    header = request.headers.get("If-Match")
    etags = None if header is None else parse_etags(header)
    if etags is None or etags == ["*"]:
        return None
    return frozenset(etag.strip('"') for etag in etags if not etag.startswith("W/"))


#: For the OpenAPI description of an action that minds `If-Match`.
conditional = extend_schema(
    parameters=[
        OpenApiParameter(
            "If-Match",
            location=OpenApiParameter.HEADER,
            description="ETags: refused with 412 if it has none of these any more.",
        ),
    ]
)
