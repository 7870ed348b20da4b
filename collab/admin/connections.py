"""Who is connected now, in all processes."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.operations import operation
from accounts.admin.pages import ReadOnlyAdmin, Rows, brief, linked, of
from accounts.models import Organization, User
from collab.models import LiveConnection, Room
from collab.selectors import living_connections
from collab.services import connections


class IsLiving(admin.SimpleListFilter):
    """The rows of a process that was killed stay for a minute; nobody looks for them but on purpose."""

    title = "living"
    parameter_name = "living"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("all", "All, of lost processes too")]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": "Living"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return (
            queryset if self.value() == "all" else queryset.filter(pk__in=living_connections().values("pk"))
        )


class ConnectionRows(Rows):
    model = LiveConnection
    verbose_name_plural = "live connections"
    ordering = ("-since",)
    row_operations = ("kick",)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        living = living_connections().filter(kicked_at__isnull=True)
        return super().get_queryset(request).filter(pk__in=living.values("pk")).select_related("user", "room")

    def process(self, connection: LiveConnection) -> str:
        return brief(connection.process_id)


class ConnectionsOfUser(ConnectionRows):
    fields = ("room", "role", "protocol", "since", "process")
    listed_by = "user"


class ConnectionsOfRoom(ConnectionRows):
    fields = ("user", "role", "protocol", "since", "process")
    listed_by = "room"


@admin.register(LiveConnection)
class LiveConnectionAdmin(ReadOnlyAdmin):
    list_display = (
        linked("user"),
        linked("room"),
        "organization",
        "role",
        "protocol",
        "since",
        "process",
    )
    list_display_links = ("since",)
    list_filter = (
        IsLiving,
        "protocol",
        of("user", User),
        of("room", Room),
        of("organization", Organization, "room__organization"),
    )
    list_select_related: ClassVar = ["user", "room__organization"]
    ordering = ("-since",)
    search_fields = ("user__email", "room__name")
    id_search = ("id", "user", "room", "process_id")
    fields = ("id", "user", "room", "role", "protocol", "since", "process_id", "kicked_at")
    actions = ("kick",)

    @admin.display(ordering="process_id")
    def process(self, connection: LiveConnection) -> str:
        return brief(connection.process_id)

    def organization(self, connection: LiveConnection) -> str:
        return connection.room.organization.name

    def name_of(self, row: LiveConnection) -> str:
        return f"{row.user} in {row.room}"

    def is_applicable(self, operation: str, row: LiveConnection) -> bool:
        return row.kicked_at is None

    @operation(
        "Kick",
        done="sent away",
        consequence="These connections close. It takes no access away: who has it may come back.",
    )
    def kick(self, operator: User, connection: LiveConnection) -> None:
        connections.dangerously_kick(actor=operator, room_id=connection.room_id, connection_id=connection.pk)
