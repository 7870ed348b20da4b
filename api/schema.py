"""The OpenAPI description: what the views say, the shape of errors, and where there is an ETag."""

from __future__ import annotations

from typing import Any

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme

_ERROR = {
    "type": "object",
    "description": "Every error of this API.",
    "required": ["code", "detail"],
    "properties": {
        "code": {"type": "string", "description": "For programs.", "example": "invalid"},
        "detail": {"type": "string", "description": "A sentence for people."},
        "fields": {
            "type": "object",
            "description": "What is wrong with each field of the input.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}
_REFUSED = {
    "description": "Refused: 400, 401, 403, 404, 405, 412, 413, 415 or 429.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


class TokenScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]  # registers itself
    """How a request says who sends it: as with the token library's own class."""

    target_class = "accounts.authentication.TokenAuthentication"


_ETAG = {
    "schema": {"type": "string"},
    "description": "Names what a PATCH may change as it is now; give it back in `If-Match`.",
}


def describe_etags(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the ETag to the answers of what can be changed."""
    for operations in result["paths"].values():
        if any(each["name"] == "If-Match" for each in operations.get("patch", {}).get("parameters", ())):
            for method in ("get", "patch"):
                operations[method]["responses"]["200"]["headers"] = {"ETag": _ETAG}
    return result


def describe_bodies(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say of request bodies that fields which are not described are refused, see `api.serializers`."""
    schemas = result["components"]["schemas"]
    for operations in result["paths"].values():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schemas[content["schema"]["$ref"].rpartition("/")[2]]["additionalProperties"] = False
    return result


def describe_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the error envelope as the answer of every operation that does not succeed."""
    result["components"]["schemas"]["Error"] = _ERROR
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = _REFUSED
    return result
