"""Lists by cursor: `results`, `next`, `previous`; stable while rows come and go.

A cursor is the place of one row in a total order, the sorted field and then the id. The framework's own
counts rows of equal value from the start of their run, which skips one when another is deleted and goes
round in circles past a thousand. Cursors are signed, so that a query never gets a client's value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db.models import Model, Q, QuerySet
from rest_framework import pagination
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView


@dataclass(frozen=True, slots=True)
class Part:
    """Which rows of a list make a page, but for the row that they stand behind.

    `ordering`: a field, with a sign in front of it if descending. `backwards`: those before it, from there.
    """

    ordering: str
    backwards: bool
    rows: int

    @property
    def field(self) -> str:
        return self.ordering.lstrip("-")

    def of(self, queryset: QuerySet, *, value: Any = None, row_id: Any = None) -> QuerySet:
        """These rows, behind the one of this id and this value of the field; all from the first without."""
        is_descending = self.ordering.startswith("-") != self.backwards
        if row_id is not None:
            beyond = "lt" if is_descending else "gt"
            queryset = queryset.filter(
                Q(**{f"{self.field}__{beyond}": value}) | Q(**{self.field: value, f"pk__{beyond}": row_id})
            )
        sign = "-" if is_descending else ""
        return queryset.order_by(f"{sign}{self.field}", f"{sign}pk")[: self.rows]


#: Gives the rows of a part; the keywords are those of `Part.of`, or none.
Reader = Callable[..., Sequence[Model]]


class CursorPagination(pagination.CursorPagination):
    """Newest first, unless the view has an `ordering` of its own; `?page_size=` up to 200."""

    ordering = "-created_at"
    page_size_query_param = "page_size"
    max_page_size = 200

    def paginate_queryset(
        self, queryset: QuerySet | Sequence | Reader, request: Request, view: APIView | None = None
    ) -> list[Any]:
        self._url = request.build_absolute_uri()
        self.ordering = getattr(view, "ordering", self.ordering)
        size = self.get_page_size(request)
        encoded = request.query_params.get(self.cursor_query_param)
        backwards, place = self._decode(encoded) if encoded else (False, {})
        part = Part(self.ordering, backwards, size + 1)
        if isinstance(queryset, QuerySet):
            rows = list(part.of(queryset, **place))
        elif callable(queryset):
            rows = list(queryset(part, **place))
        else:
            raise TypeError("Pages are read from the database, not cut out of a list.")
        there_is_more = len(rows) > size
        self._rows = rows[:size][::-1] if backwards else rows[:size]
        self.has_next = bool(rows) and (backwards or there_is_more)
        self.has_previous = bool(rows) and (there_is_more if backwards else bool(place))
        return self._rows

    def get_next_link(self) -> str | None:
        return self._link(self._rows[-1], backwards=False) if self.has_next else None

    def get_previous_link(self) -> str | None:
        return self._link(self._rows[0], backwards=True) if self.has_previous else None

    def get_page_size(self, request: Request) -> int:
        """What is asked for, at most `max_page_size`.

        Raises:
            ValidationError: it is no positive number; the framework's own would take no notice.
        """
        given = request.query_params.get(self.page_size_query_param)
        if given is None:
            return self.page_size or self.max_page_size
        if not given.isascii() or not given.isdigit() or not int(given[:20]):
            message = "Expected a positive number."
            raise ValidationError({self.page_size_query_param: [message]})
        return min(int(given[:20]), self.max_page_size)

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == self.page_size_query_param:
                parameter["description"] = f"Results on a page; at most {self.max_page_size} are given."
                parameter["schema"]["minimum"] = 1
        return parameters

    def _link(self, row: Model, *, backwards: bool) -> str:
        value = getattr(row, self.ordering.lstrip("-"))
        encoded = signing.dumps([backwards, [str(value), str(row.pk)]], salt=self._salt())
        return replace_query_param(self._url, self.cursor_query_param, encoded)

    def _decode(self, encoded: str) -> tuple[bool, dict[str, str]]:
        try:
            backwards, (value, row_id) = signing.loads(encoded, salt=self._salt())
        except signing.BadSignature as error:
            raise NotFound(self.invalid_cursor_message) from error
        return backwards, {"value": value, "row_id": row_id}

    def _salt(self) -> str:
        return f"api.pagination:{self.ordering.lstrip('-')}"
