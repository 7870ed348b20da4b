"""The admin site: named after the product, in the order of an operator's day, and with a guarded door."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from accounts.audit import AuditAction, record_for_user
from accounts.origins import operator_of, origin_of_request
from accounts.services.sessions import record_failed_sign_in
from api.throttles import FailureThrottle, address_of

#: The index: what each application is called there, and its models in order.
SECTIONS = {
    "accounts": ("People and organizations", ("User", "Organization", "Group", "Session", "AuditEntry")),
    "collab": ("Rooms", ("Room", "LiveConnection", "RoomMember", "ShareLink", "AccessRequest")),
    "auth": ("Operators", ("Group",)),
}
#: Not to be taken for the groups of an organization.
PERMISSION_GROUPS = "Permission groups"


#: The answer to a form that was accepted.
FOUND = 302


class OperatorSite(AdminSite):
    """See the module. Signing in counts with the sign-ins of the API, and is audited like them."""

    site_header = "Gatehouse"
    site_title = "Gatehouse"
    index_title = "Operations"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = {app["app_label"]: app for app in super().get_app_list(request, app_label)}
        return [
            {**app, "name": name, "models": _models(label, order, app["models"])}
            for label, (name, order) in SECTIONS.items()
            if (app := apps.get(label)) is not None
        ]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method != "POST":
            return super().login(request, extra_context)
        account = request.POST.get("username", "").strip().lower()
        throttles = [
            FailureThrottle(f"address {address_of(Request(request))}"),
            FailureThrottle(f"account {account}"),
        ]
        try:
            for throttle in throttles:
                throttle.check()
        except Throttled as error:
            return _too_many(error)
        response = super().login(request, extra_context)
        if response.status_code == FOUND:
            operator = operator_of(request)
            record_for_user(AuditAction.SIGNED_IN, operator, actor=operator, operator=True)
        else:
            for throttle in throttles:
                throttle.failed()
            record_failed_sign_in(email=account, origin=origin_of_request(request))
        return response

    @transaction.atomic
    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        response = super().password_change(request, extra_context)
        if response.status_code == FOUND:
            operator = operator_of(request)
            record_for_user(AuditAction.PASSWORD_CHANGED, operator, actor=operator)
        return response


def _models(label: str, order: tuple[str, ...], models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if label == "auth":
        models = [{**model, "name": PERMISSION_GROUPS} for model in models]
    places = {name: place for place, name in enumerate(order)}
    return sorted(models, key=lambda model: places.get(model["object_name"], len(order)))


def _too_many(error: Throttled) -> HttpResponse:
    wait_s = error.wait or 1  # type: ignore[attr-defined]  # not in the stubs
    return HttpResponse(
        f"Too many sign-ins failed. Try again in {wait_s} s.",
        status=429,
        content_type="text/plain",
        headers={"Retry-After": str(wait_s)},
    )
