"""Groups of an organization, and who is in them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin.operations import operation
from accounts.admin.pages import ReadOnlyAdmin, Rows, count_of, link_to, linked, of
from accounts.models import Group, GroupMember, Organization, User
from accounts.services import groups


def _who(member: GroupMember) -> str:
    account = member.member.user
    return link_to(account) if account else f"{member.member.email} (invited)"


class GroupMemberRows(Rows):
    model = GroupMember
    verbose_name_plural = "members"
    fields = ("who", "organization_role", "created_at")
    ordering = ("created_at",)
    row_operations = ("revoke",)
    listed_by = "group"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("member__user")

    def who(self, member: GroupMember) -> str:
        return _who(member)

    def organization_role(self, member: GroupMember) -> str:
        return member.member.role


@admin.register(Group)
class GroupAdmin(ReadOnlyAdmin):
    list_display = ("name", linked("organization"), "members", "created_at", "id")
    list_filter = (of("organization", Organization), ("created_at", admin.DateFieldListFilter))
    list_select_related: ClassVar = ["organization"]
    search_fields = ("name",)
    id_search = ("id", "organization")
    fields = ("name", "id", "organization", "members", "created_at")
    inlines = (GroupMemberRows,)

    def get_queryset(self, request: HttpRequest) -> Any:
        members = count_of(GroupMember.objects.all(), by="group")
        return super().get_queryset(request).annotate(member_count=members)

    @admin.display(ordering="member_count")
    def members(self, group: Group) -> int:
        return int(group.member_count)  # type: ignore[attr-defined]  # annotated


@admin.register(GroupMember)
class GroupMemberAdmin(ReadOnlyAdmin):
    list_display = ("who", linked("group"), "organization", "created_at")
    list_display_links = ("created_at",)
    list_filter = (of("group", Group), of("user", User, "member__user"))
    list_select_related: ClassVar = ["group__organization", "member__user"]
    search_fields = ("member__user__email", "member__email", "group__name")
    id_search = ("id", "group", "member__user")
    fields = ("group", "who", "organization", "created_at")
    readonly_fields = ("who", "organization")
    actions = ("revoke",)

    def who(self, member: GroupMember) -> str:
        return _who(member)

    def organization(self, member: GroupMember) -> str:
        return member.group.organization.name

    def name_of(self, row: GroupMember) -> str:
        return f"{row.member.user or row.member.email} in {row.group}"

    @operation(
        "Take out of the group",
        done="taken out of the group",
        consequence="They lose what the group was given in rooms; in the organization they stay.",
    )
    def revoke(self, operator: User, member: GroupMember) -> None:
        groups.dangerously_remove_group_member(actor=operator, member_id=member.pk)
