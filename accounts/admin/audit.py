"""The audit trail, for looking at."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from accounts.admin.pages import ReadOnlyAdmin, brief, of
from accounts.audit import AuditAction
from accounts.models import AuditEntry, Organization, User


class ByKind(admin.SimpleListFilter):
    """By the first word of the action."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        kinds = dict.fromkeys(action.partition(".")[0] for action in AuditAction)
        return [(kind, kind.replace("_", " ")) for kind in kinds]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(action__startswith=f"{self.value()}.") if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Entries name ids; what these are called now, where they still are, is looked up."""

    list_display: tuple[str, ...] = (
        "created_at",
        "action",
        "actor",
        "subject_briefly",
        "organization",
        "told_briefly",
        "address",
    )
    list_filter: ClassVar[tuple[Any, ...]] = (
        ("created_at", admin.DateFieldListFilter),
        of("organization", Organization, "organization_id"),
        of("actor", User, "actor_id"),
        of("subject", User, "subject_id"),
        ByKind,
    )
    ordering = ("-created_at",)
    search_fields = ("action",)
    search_help_text = "The id of an organization, room, user, group or link; or an action."
    id_search = ("id", "organization_id", "room_id", "actor_id", "subject_id")
    fields: ClassVar[tuple[str, ...]] = (
        "created_at",
        "action",
        "actor",
        "actor_id",
        "subject",
        "subject_id",
        "organization",
        "organization_id",
        "number",
        "room_id",
        "told",
        "address",
        "user_agent",
    )
    readonly_fields: ClassVar[tuple[str, ...]] = fields

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        users, organizations = User.objects.values("email"), Organization.objects.values("name")
        return (
            super()
            .get_queryset(request)
            .annotate(
                actor_email=Subquery(users.filter(pk=OuterRef("actor_id"))),
                subject_email=Subquery(users.filter(pk=OuterRef("subject_id"))),
                organization_name=Subquery(organizations.filter(pk=OuterRef("organization_id"))),
            )
        )

    def name_of(self, row: AuditEntry) -> str:
        return f"{row.action} #{row.number}"

    def actor(self, entry: Any) -> str:
        return str(entry.actor_email or entry.actor_id or "the server")

    def subject(self, entry: Any) -> str:
        return str(entry.subject_email or entry.subject_id or "–")

    def organization(self, entry: Any) -> str:
        return str(entry.organization_name or entry.organization_id)

    @admin.display(description="details")
    def told(self, entry: AuditEntry) -> str:
        return ", ".join(f"{name}: {json.dumps(value)}" for name, value in entry.details.items()) or "–"

    @admin.display(description="details")
    def told_briefly(self, entry: AuditEntry) -> str:
        told = (f"{name}: {brief(value)}" for name, value in entry.details.items() if value not in {None, ""})
        return ", ".join(told) or "–"

    @admin.display(description="subject")
    def subject_briefly(self, entry: Any) -> str:
        return str(entry.subject_email or brief(entry.subject_id or "–"))
