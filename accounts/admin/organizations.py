"""Organizations and their members."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin.pages import ReadOnlyAdmin, Rows, count_of, link_to, linked, list_link, of
from accounts.models import AuditEntry, Group, GroupMember, Organization, OrganizationMember, User


class MemberRows(Rows):
    model = OrganizationMember
    verbose_name_plural = "members and invitations"
    fields = ("user", "email", "role", "created_at")
    ordering = ("created_at",)
    listed_by = "organization"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("user")


class GroupRows(Rows):
    model = Group
    fields = ("name", "members", "created_at")
    ordering = ("name",)
    listed_by = "organization"
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> Any:
        members = count_of(GroupMember.objects.all(), by="group")
        return super().get_queryset(request).annotate(member_count=members)

    def members(self, group: Group) -> int:
        return int(group.member_count)  # type: ignore[attr-defined]  # annotated


@admin.register(Organization)
class OrganizationAdmin(ReadOnlyAdmin):
    list_display: tuple[str, ...] = ("name", "members", "groups", "created_at", "id")
    list_filter = (("created_at", admin.DateFieldListFilter),)
    search_fields = ("name", "external_id")
    fields: ClassVar[tuple[str, ...]] = ("name", "id", "external_id", "created_at", "members", "groups")
    inlines = (MemberRows, GroupRows)

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .annotate(
                member_count=count_of(OrganizationMember.objects.all(), by="organization"),
                group_count=count_of(Group.objects.all(), by="organization"),
            )
        )

    @admin.display(ordering="member_count")
    def members(self, organization: Organization) -> int:
        return int(organization.member_count)  # type: ignore[attr-defined]  # annotated

    @admin.display(ordering="group_count")
    def groups(self, organization: Organization) -> int:
        return int(organization.group_count)  # type: ignore[attr-defined]  # annotated

    def links_of(self, request: HttpRequest, row: Organization) -> list[tuple[str, str]]:
        return list_link(request, "Audit trail", AuditEntry, organization=row.pk)


@admin.register(OrganizationMember)
class OrganizationMemberAdmin(ReadOnlyAdmin):
    list_display = ("who", linked("organization"), "role", "created_at")
    list_display_links = ("created_at",)
    list_filter = ("role", of("organization", Organization), of("user", User))
    list_select_related: ClassVar = ["organization", "user"]
    search_fields = ("user__email", "email")
    id_search = ("id", "organization", "user")
    fields = ("organization", "user", "email", "role", "created_at")

    @admin.display(description="member")
    def who(self, member: OrganizationMember) -> str:
        return link_to(member.user) if member.user else f"{member.email} (invited)"

    def name_of(self, row: OrganizationMember) -> str:
        return f"{row.user or row.email} in {row.organization}"
