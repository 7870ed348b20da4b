"""Users, and what ends their access."""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm
from django.db.models import Model, QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from accounts.admin.operations import operation
from accounts.admin.pages import OperatorAdmin, Rows, list_link
from accounts.errors import PermissionDeniedError
from accounts.models import AuditEntry, OrganizationMember, Session, User
from accounts.origins import operator_of
from accounts.services import passwords, sessions, users

#: What makes somebody an operator: only superusers give and take it.
STANDING = ("is_staff", "is_superuser", "groups", "user_permissions")


class PasswordForm(AdminPasswordChangeForm):
    """Sets a password by the service; an account may also be left without one."""

    def __init__(self, *args: Any, operator: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.operator = operator

    def save(self, commit: bool = True) -> Any:
        is_usable = self.cleaned_data["set_usable_password"]
        password = self.cleaned_data["password1"] if is_usable else None
        passwords.dangerously_set_password(actor=self.operator, user=self.user, password=password)
        return self.user


class ProfileForm(UserChangeForm):
    """Without the password, of which Django's own form shows a part of the hash."""

    password = None  # type: ignore[assignment]  # the way in which a form drops a field


class OrganizationRows(Rows):
    model = OrganizationMember
    verbose_name_plural = "organizations"
    fields = ("organization", "role", "groups", "created_at")
    ordering = ("-created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("organization")
        return rows.prefetch_related("group_memberships__group")

    @admin.display(empty_value="–")
    def groups(self, member: OrganizationMember) -> str:
        return ", ".join(sorted(each.group.name for each in member.group_memberships.all()))


class SessionRows(Rows):
    model = Session
    verbose_name_plural = "living sessions"
    fields = ("created_at", "address", "user_agent", "expires_at")
    ordering = ("-created_at",)
    row_operations = ("end",)
    listed_by = "user"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).filter(ended_at=None, expires_at__gt=timezone.now())


@admin.register(User)
class UserAdmin(OperatorAdmin, DjangoUserAdmin):
    """Users by e-mail address; of operators only a superuser may change anything."""

    form = ProfileForm
    ordering = ("email",)
    list_display = ("email", "name", "is_active", "is_staff", "joined_at", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", ("joined_at", admin.DateFieldListFilter))
    search_fields = ("email", "name")
    readonly_fields = ("id", "password_state", "joined_at", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "name", "is_active", "password_state", "joined_at", "last_login", "id")}),
        ("Operator", {"fields": STANDING, "classes": ("collapse",)}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)
    inlines: ClassVar[tuple[type[Rows], ...]] = (SessionRows, OrganizationRows)
    actions = ("end_sessions", "deactivate", "activate")

    @admin.display(description="password")
    def password_state(self, user: User) -> str:
        state = "Set" if user.has_usable_password() else "None: nobody signs in with one"
        url = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('{} &nbsp; <a href="{}">Set another</a>', state, url)

    @operation(
        "End all sessions",
        done="signed out everywhere",
        consequence="They are signed out, and their open connections close. They may sign in again.",
    )
    def end_sessions(self, operator: User, user: User) -> None:
        self._check_may_handle(operator, user)
        sessions.dangerously_end_all_sessions(actor=operator, user=user)

    @operation(
        "Deactivate",
        done="deactivated",
        consequence="They are signed out, their open connections close, and they can't sign in any more.",
    )
    def deactivate(self, operator: User, user: User) -> None:
        self._check_may_handle(operator, user)
        if operator.pk == user.pk:
            raise PermissionDeniedError("You can't deactivate yourself.")
        users.deactivate_user(user=user, actor=operator)

    @operation("Activate", done="activated", consequence="They may sign in again and have what they had.")
    def activate(self, operator: User, user: User) -> None:
        self._check_may_handle(operator, user)
        users.activate_user(user=user, actor=operator)

    def is_applicable(self, operation: str, row: User) -> bool:
        return {"deactivate": row.is_active, "activate": not row.is_active}.get(operation, True)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fields = [*super().get_readonly_fields(request, obj)]
        if not request.user.is_superuser:
            fields += STANDING
        if obj is not None and obj.pk == request.user.pk:
            fields.append("is_active")
        return fields

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        is_operator = isinstance(obj, User) and (obj.is_staff or obj.is_superuser)
        if is_operator and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Form, change: bool) -> None:
        obj.email = obj.email.lower()
        if not change:
            super().save_model(request, obj, form, change)
            return
        if "is_active" in form.changed_data:  # first, because it locks organizations, which come before users
            switch = users.activate_user if obj.is_active else users.deactivate_user
            switch(user=obj, actor=operator_of(request))
        # Only what was edited: the row may have moved since it was read, its epoch above all.
        columns = {field.name for field in User._meta.concrete_fields} - {"is_active"}
        obj.save(update_fields=columns & set(form.changed_data))

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002  # Django calls it so
        page = copy(self)  # the form is made by the class alone, and has to know who sets the password
        page.change_password_form = partial(PasswordForm, operator=operator_of(request))
        return DjangoUserAdmin.user_change_password(page, request, id, form_url)

    def links_of(self, request: HttpRequest, row: User) -> list[tuple[str, str]]:
        return [
            *list_link(request, "What they did", AuditEntry, actor=row.pk),
            *list_link(request, "What was done to them", AuditEntry, subject=row.pk),
        ]

    @staticmethod
    def _check_may_handle(operator: User, user: User) -> None:
        if (user.is_staff or user.is_superuser) and not operator.is_superuser:
            raise PermissionDeniedError("This is an operator: only a superuser may.")
