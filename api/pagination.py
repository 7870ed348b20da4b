"""Lists by cursor: `results`, `next`, `previous`; stable while rows come and go."""

from rest_framework import pagination


class CursorPagination(pagination.CursorPagination):
    """Newest first; `?page_size=` up to 200."""

    ordering = ("-created_at", "-pk")
    page_size_query_param = "page_size"
    max_page_size = 200
