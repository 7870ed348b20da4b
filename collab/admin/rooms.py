"""Rooms: who has access, who is in them, and how big they are."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Length
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse

from accounts.admin.operations import operation
from accounts.admin.pages import ReadOnlyAdmin, count_of, linked, list_link, of
from accounts.models import AuditEntry, Organization, User
from collab.admin.connections import ConnectionsOfRoom
from collab.admin.explain import explain
from collab.admin.sharing import LinkRows, MemberRows, RequestRows
from collab.models import Checkpoint, Room, RoomHead, RoomMember, StoredUpdate
from collab.selectors import living_connections
from collab.services import rooms


class IsTrashed(admin.SimpleListFilter):
    title = "trash"
    parameter_name = "trashed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Not in the trash"), ("yes", "In the trash")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in {"no", "yes"}:
            return queryset
        return queryset.filter(trashed_at__isnull=self.value() == "no")


@admin.register(Room)
class RoomAdmin(ReadOnlyAdmin):
    list_display = (
        "name",
        linked("organization"),
        "organization_role",
        "members",
        "connected",
        "created_at",
        "trashed_at",
    )
    list_filter = (
        IsTrashed,
        of("organization", Organization),
        ("created_at", admin.DateFieldListFilter),
    )
    list_select_related: ClassVar = ["organization"]
    ordering = ("name",)
    search_fields = ("name",)
    id_search = ("id", "organization")
    fields = (
        "name",
        "id",
        "organization",
        "kind",
        "organization_role",
        "created_at",
        "trashed_at",
        "log_size",
        "checkpoint_size",
    )
    readonly_fields = ("log_size", "checkpoint_size")
    inlines = (ConnectionsOfRoom, MemberRows, LinkRows, RequestRows)
    actions = ("trash", "restore")

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .annotate(
                member_count=count_of(RoomMember.objects.all(), by="room"),
                connection_count=count_of(living_connections().filter(kicked_at__isnull=True), by="room"),
            )
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.explain)
        return [path("explain/", view, name="collab_room_explain"), *super().get_urls()]

    def explain(self, request: HttpRequest) -> Any:
        return explain(self, request)

    @admin.display(ordering="member_count")
    def members(self, room: Room) -> int:
        return int(room.member_count)  # type: ignore[attr-defined]  # annotated

    @admin.display(ordering="connection_count")
    def connected(self, room: Room) -> int:
        return int(room.connection_count)  # type: ignore[attr-defined]  # annotated

    @admin.display(description="log")
    def log_size(self, room: Room) -> str:
        rows = StoredUpdate.objects.filter(room=room)
        stored = rows.aggregate(count=Count("pk"), size=Sum(Length("data")))
        head = RoomHead.objects.filter(room=room).values_list("seq", flat=True).first()
        size = filesizeformat(stored["size"] or 0)
        return (
            f"{size} since the checkpoint; updates: {stored['count']}, of {head or 0} that were ever written"
        )

    @admin.display(description="checkpoint")
    def checkpoint_size(self, room: Room) -> str:
        stored = Checkpoint.objects.filter(room=room).values_list("seq", "created_at", Length("data")).first()
        if stored is None:
            return "None yet"
        seq, created_at, size = stored
        return f"{filesizeformat(size)}, up to update {seq}, written {created_at:%Y-%m-%d %H:%M} UTC"

    def is_applicable(self, operation: str, row: Room) -> bool:
        return (operation == "trash") == (row.trashed_at is None)

    def links_of(self, request: HttpRequest, row: Room) -> list[tuple[str, str]]:
        return list_link(request, "Audit trail", AuditEntry, room=row.pk)

    def explain_form(self, request: HttpRequest, row: Room) -> dict[str, str] | None:
        if not request.user.has_perm("accounts.view_user"):
            return None
        return {
            "url": reverse("admin:collab_room_explain"),
            "known": "room",
            "asked": "user",
            "placeholder": "E-mail address or id of a user",
        }

    @operation(
        "Put in the trash",
        done="put in the trash",
        consequence="Nobody has access any more, and open connections close. The documents stay.",
    )
    def trash(self, operator: User, room: Room) -> None:
        rooms.dangerously_trash_room(actor=operator, room_id=room.pk)

    @operation(
        "Take out of the trash",
        done="taken out of the trash",
        consequence="Everybody has the access that they had before.",
    )
    def restore(self, operator: User, room: Room) -> None:
        rooms.dangerously_restore_room(actor=operator, room_id=room.pk)
