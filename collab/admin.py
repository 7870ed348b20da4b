"""The admin site for rooms: for looking at. Documents are not shown."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from accounts.admin import ReadOnlyAdmin
from collab.models import Room, RoomMember


@admin.register(Room)
class RoomAdmin(ReadOnlyAdmin):
    list_display = ("name", "organization", "organization_role", "created_at", "trashed_at")
    list_select_related: ClassVar = ["organization"]
    search_fields = ("name", "id")


@admin.register(RoomMember)
class RoomMemberAdmin(ReadOnlyAdmin):
    list_display = ("room", "user", "role", "created_at")
    list_filter = ("role",)
    list_select_related: ClassVar = ["room", "user"]
