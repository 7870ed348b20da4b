"""What gives access to rooms: members, share links, and requests."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest

from accounts.admin.operations import operation
from accounts.admin.pages import ReadOnlyAdmin, Rows, link_to, linked, of
from accounts.models import Group, User
from collab.models import AccessRequest, Room, RoomMember, ShareLink
from collab.services import members, share_links


@admin.display(description="member")
def grantee(member: RoomMember) -> str:
    """A user, a group, or an address that is invited."""
    if member.user is not None:
        return link_to(member.user)
    if member.group is not None:
        return link_to(member.group, f"Group {member.group.name}")
    return f"{member.email} (invited)"


@admin.display(description="password", boolean=True)
def has_password(link: ShareLink) -> bool:
    return bool(link.password)


@admin.display(description="uses")
def uses(link: ShareLink) -> str:
    return str(link.uses) if link.max_uses is None else f"{link.uses} of {link.max_uses}"


class MemberRows(Rows):
    model = RoomMember
    verbose_name_plural = "members and invitations"
    fields = ("grantee", "role", "created_at")
    ordering = ("created_at",)
    row_operations = ("revoke",)
    listed_by = "room"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("user", "group")

    @admin.display(description="member")
    def grantee(self, member: RoomMember) -> str:
        return grantee(member)


class MembershipRows(Rows):
    model = RoomMember
    verbose_name_plural = "rooms, as a member by name"
    fields = ("room", "role", "created_at")
    ordering = ("-created_at",)
    row_operations = ("revoke",)
    listed_by = "user"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("room")


class LinkRows(Rows):
    model = ShareLink
    fields = ("role", "expires_at", "used", "has_password", "created_by", "created_at")
    ordering = ("-created_at",)
    row_operations = ("revoke",)
    listed_by = "room"
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("created_by")

    @admin.display(description="uses")
    def used(self, link: ShareLink) -> str:
        return uses(link)

    @admin.display(description="password", boolean=True)
    def has_password(self, link: ShareLink) -> bool:
        return has_password(link)


class RequestRows(Rows):
    model = AccessRequest
    fields = ("user", "role", "status", "created_at", "answered_by", "answered_at")
    ordering = ("-created_at",)
    listed_by = "room"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("user", "answered_by")


@admin.register(RoomMember)
class RoomMemberAdmin(ReadOnlyAdmin):
    list_display = (grantee, linked("room"), "role", "created_at")
    list_display_links = ("created_at",)
    list_filter = ("role", of("room", Room), of("user", User), of("group", Group))
    list_select_related: ClassVar = ["room", "user", "group"]
    search_fields = ("user__email", "group__name", "email", "room__name")
    id_search = ("id", "room", "user", "group")
    fields = ("room", "user", "group", "email", "role", "created_at")
    actions = ("revoke",)

    def name_of(self, row: RoomMember) -> str:
        return f"{row.user or row.group or row.email} in {row.room}"

    @operation(
        "Revoke",
        done="access revoked",
        consequence="They lose what this gave them, at once; what they have from elsewhere stays.",
    )
    def revoke(self, operator: User, member: RoomMember) -> None:
        members.dangerously_remove_room_member(actor=operator, room_id=member.room_id, member_id=member.pk)


@admin.register(ShareLink)
class ShareLinkAdmin(ReadOnlyAdmin):
    list_display = (
        linked("room"),
        "role",
        "expires_at",
        uses,
        has_password,
        "wrong",
        "created_by",
        "created_at",
    )
    list_display_links = ("created_at",)
    list_filter = ("role", of("room", Room), ("expires_at", admin.DateFieldListFilter))
    list_select_related: ClassVar = ["room", "created_by"]
    search_fields = ("room__name", "created_by__email")
    id_search = ("id", "room", "created_by")
    fields = (
        "id",
        "room",
        "role",
        "expires_at",
        "uses",
        "max_uses",
        "has_password",
        "wrong",
        "created_by",
        "created_at",
    )
    readonly_fields = ("has_password", "wrong")
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(wrong_count=Count("wrong_passwords"))

    @admin.display(description="password", boolean=True)
    def has_password(self, link: ShareLink) -> bool:
        return has_password(link)

    @admin.display(description="wrong passwords")
    def wrong(self, link: ShareLink) -> int:
        return int(link.wrong_count)  # type: ignore[attr-defined]  # annotated

    def name_of(self, row: ShareLink) -> str:
        return f"{row.get_role_display()} link to {row.room}"

    @operation(
        "Revoke",
        done="revoked",
        consequence="These links are deleted, and whom they let in loses what they gave, at once.",
    )
    def revoke(self, operator: User, link: ShareLink) -> None:
        share_links.dangerously_delete_share_link(actor=operator, room_id=link.room_id, link_id=link.pk)


@admin.register(AccessRequest)
class AccessRequestAdmin(ReadOnlyAdmin):
    list_display = (
        linked("user"),
        linked("room"),
        "role",
        "status",
        "created_at",
        "answered_by",
        "answered_at",
    )
    list_display_links = ("created_at",)
    list_filter = ("status", of("room", Room), of("user", User), ("created_at", admin.DateFieldListFilter))
    list_select_related: ClassVar = ["user", "room", "answered_by"]
    search_fields = ("user__email", "room__name")
    id_search = ("id", "room", "user")
    fields = ("room", "user", "role", "message", "status", "created_at", "answered_by", "answered_at")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return False

    def name_of(self, row: AccessRequest) -> str:
        return f"{row.user} for {row.room}"
