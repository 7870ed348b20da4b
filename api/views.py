"""What the views of the API have in common: parse, hand over to a service or selector, serialize."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.viewsets import GenericViewSet

from accounts.models import User, Versioned
from api.etags import etag_of, versions_of
from api.pagination import Reader


class ApiViewSet(GenericViewSet):
    """`serializer_class` is what comes out; what comes in is named at each action."""

    serializer_class: type[BaseSerializer[Any]]

    @property
    def caller(self) -> User:
        """The user who asks. Only for views that require authentication."""
        return cast("User", self.request.user)

    @property
    def if_match(self) -> frozenset[str] | None:
        """What the caller wants to change, for a service's argument of this name."""
        return versions_of(self.request)

    def body(self, serializer_class: type[Serializer]) -> dict[str, Any]:
        """The checked body of the request.

        Raises:
            ValidationError: it does not have the form that `serializer_class` asks for.
        """
        return _validated(serializer_class(data=self.request.data))

    def query(self, serializer_class: type[Serializer]) -> dict[str, Any]:
        """The checked query parameters; raises like `body`. An empty one is there, not absent."""
        return _validated(serializer_class(data=self.request.query_params.dict()))

    def page_of(self, rows: QuerySet | Reader) -> Response:
        """One page of a list."""
        page = self.paginate_queryset(cast("QuerySet", rows))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def one(self, instance: Any, *, status: int = 200) -> Response:
        """A single object, with its ETag if it can be changed."""
        headers = {"ETag": etag_of(instance)} if isinstance(instance, Versioned) else None
        return Response(self.get_serializer(instance).data, status=status, headers=headers)


def _validated(serializer: Serializer) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return cast("dict[str, Any]", serializer.validated_data)
