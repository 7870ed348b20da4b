"""Sessions: who is signed in, and from where. Tokens are not shown, and not kept."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin.operations import operation
from accounts.admin.pages import ReadOnlyAdmin, linked, of
from accounts.models import Session, User
from accounts.services import sessions


class IsLiving(admin.SimpleListFilter):
    title = "living"
    parameter_name = "living"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No: ended or expired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        over = Q(ended_at__isnull=False) | Q(expires_at__lte=timezone.now())
        chosen = {"yes": queryset.exclude(over), "no": queryset.filter(over)}
        return chosen.get(self.value() or "", queryset)


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    list_display = (linked("user"), "address", "user_agent", "created_at", "expires_at", "ended_at")
    list_display_links = ("created_at",)
    list_filter = (IsLiving, of("user", User), ("expires_at", admin.DateFieldListFilter))
    list_select_related: ClassVar = ["user"]
    ordering = ("-expires_at",)
    search_fields = ("user__email", "address")
    id_search = ("id", "user")
    fields = ("id", "user", "address", "user_agent", "created_at", "expires_at", "ended_at")
    actions = ("end",)

    def name_of(self, row: Session) -> str:
        return f"{row.user.email} since {row.created_at:%Y-%m-%d %H:%M} UTC"

    def is_applicable(self, operation: str, row: Session) -> bool:
        return row.ended_at is None

    @operation(
        "End",
        done="ended",
        consequence="What was signed in by these sessions is signed out, and its open connections close.",
    )
    def end(self, operator: User, session: Session) -> None:
        sessions.dangerously_end_session(actor=operator, session_id=session.pk)
