"""What rooms add to the pages of accounts, which know of none."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.urls import reverse

from accounts.admin import AuditEntryAdmin, OrganizationAdmin, UserAdmin
from accounts.admin.pages import count_of, list_link, of
from accounts.models import AuditEntry, Organization, User
from collab.admin.connections import ConnectionsOfUser
from collab.admin.sharing import MembershipRows
from collab.models import LiveConnection, Room

admin.site.unregister([User, Organization, AuditEntry])


@admin.register(User)
class RoomUserAdmin(UserAdmin):
    inlines = (ConnectionsOfUser, *UserAdmin.inlines, MembershipRows)

    def explain_form(self, request: HttpRequest, row: User) -> dict[str, str] | None:
        if not request.user.has_perm("collab.view_room"):
            return None
        return {
            "url": reverse("admin:collab_room_explain"),
            "known": "user",
            "asked": "room",
            "placeholder": "Id of a room",
        }


@admin.register(Organization)
class RoomOrganizationAdmin(OrganizationAdmin):
    list_display = ("name", "members", "groups", "rooms", "created_at", "id")
    fields = (*OrganizationAdmin.fields, "rooms")

    def get_queryset(self, request: HttpRequest) -> Any:
        rooms = count_of(Room.objects.all(), by="organization")
        return super().get_queryset(request).annotate(room_count=rooms)

    @admin.display(ordering="room_count")
    def rooms(self, organization: Organization) -> int:
        return int(organization.room_count)  # type: ignore[attr-defined]  # annotated

    def links_of(self, request: HttpRequest, row: Organization) -> list[tuple[str, str]]:
        return [
            *list_link(request, "Rooms", Room, organization=row.pk),
            *list_link(request, "Live connections", LiveConnection, organization=row.pk),
            *super().links_of(request, row),
        ]


@admin.register(AuditEntry)
class RoomAuditEntryAdmin(AuditEntryAdmin):
    list_display = (*AuditEntryAdmin.list_display[:4], "room", *AuditEntryAdmin.list_display[4:])
    list_filter = (
        *AuditEntryAdmin.list_filter[:-1],
        of("room", Room, "room_id"),
        AuditEntryAdmin.list_filter[-1],
    )
    fields = tuple("room" if name == "room_id" else name for name in AuditEntryAdmin.fields)
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        names = Room.objects.filter(pk=OuterRef("room_id")).values("name")
        return super().get_queryset(request).annotate(room_name=Subquery(names))

    def room(self, entry: Any) -> str:
        return str(entry.room_name or entry.room_id or "–")
