"""The one shape of an error: `{"code", "detail", "fields"?}`.

`code` is for programs, `detail` a sentence for people, `fields` the messages by field of the input. The
errors of the domain, of the framework and of the token library are translated here and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect, JsonResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler as framework_exception_handler

from accounts.errors import (
    ChangedMeanwhileError,
    DomainError,
    NotFoundError,
    PermissionDeniedError,
    first_line,
)

logger = logging.getLogger("api")

API_PREFIX = "/api/"
#: The key of messages that belong to no single field.
WHOLE_BODY = "non_field_errors"


def error_body(code: str, detail: str, fields: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
    """The body of every error."""
    return {"code": code, "detail": detail} | ({"fields": dict(fields)} if fields else {})


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an exception of a view; None leaves one that nobody expected to `server_error`."""
    if isinstance(exc, DomainError):
        return Response(error_body(exc.code, exc.detail, exc.fields), status=_status_of(exc))
    if isinstance(exc, OperationalError | InterfaceError):
        return _database_unavailable(exc)
    response = framework_exception_handler(exc, context)
    if response is None:
        return None
    if isinstance(exc, ValidationError):
        response.data = _validation_body(exc.detail)
    else:
        response.data = _plain_body(response.data)
    return response


def _database_unavailable(error: Exception) -> Response:
    """The database is away or takes nothing: nothing was done, and the client may try again."""
    logger.warning("A request was answered 503, the database does not answer: %s", first_line(error))
    detail = "The database does not answer; try again in a moment."
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return Response(error_body("unavailable", detail), status=status_code, headers={"Retry-After": "2"})


def _status_of(error: DomainError) -> int:
    match error:
        case NotFoundError():
            return status.HTTP_404_NOT_FOUND
        case PermissionDeniedError():
            return status.HTTP_403_FORBIDDEN
        case ChangedMeanwhileError():
            return status.HTTP_412_PRECONDITION_FAILED
    return status.HTTP_400_BAD_REQUEST


def _plain_body(data: dict[str, Any]) -> dict[str, Any]:
    # The framework hides the code in the detail; the token library puts it beside the detail, and what
    # was wrong with a token in a list of messages, one for each kind of token it could have been.
    code = data.get("code") or getattr(data["detail"], "code", "error")
    messages = data.get("messages")
    return error_body(str(code), str(messages[0]["message"] if messages else data["detail"]))


def _validation_body(detail: Any) -> dict[str, Any]:
    by_field = detail if isinstance(detail, dict) else {WHOLE_BODY: detail}
    fields = {name: [str(message) for message in messages] for name, messages in by_field.items()}
    sentences = [
        " ".join(messages) if name == WHOLE_BODY else f"{name}: {' '.join(messages)}"
        for name, messages in fields.items()
    ]
    return error_body("invalid", " ".join(sentences), fields)


@csrf_exempt
def route_not_found(request: HttpRequest) -> HttpResponse:
    """Any path under the prefix that is no route: a read without the closing slash is sent there."""
    if request.method in {"GET", "HEAD"} and not request.path.endswith("/"):
        return HttpResponsePermanentRedirect(request.get_full_path(force_append_slash=True))
    return _json(status.HTTP_404_NOT_FOUND, "not_found", "There is no such route.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """For what Django refuses before a view is reached."""
    if not request.path.startswith(API_PREFIX):
        return defaults.bad_request(request, exception)
    return _json(status.HTTP_400_BAD_REQUEST, "bad_request", "The request is malformed.")


def server_error(request: HttpRequest) -> HttpResponse:
    """For an exception that nobody expected; it was logged."""
    if not request.path.startswith(API_PREFIX):
        return defaults.server_error(request)
    return _json(status.HTTP_500_INTERNAL_SERVER_ERROR, "server_error", "Something went wrong on our side.")


def _json(status_code: int, code: str, detail: str) -> JsonResponse:
    return JsonResponse(error_body(code, detail), status=status_code)
