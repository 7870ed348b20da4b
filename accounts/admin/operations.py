"""What an operator may do to rows of the admin site, each by a service.

An operation is an action of Django's admin that is called once for each object. It needs the permission to
change the model, asks before it does something to several, and goes on where one of them is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.errors import DomainError
from accounts.models import User
from accounts.origins import operator_of

#: Objects that one operation is done to at most.
MOST_OBJECTS = 500
#: Refusals that are told one by one.
MOST_REFUSALS = 5

Run = Callable[[Any, User, Any], None]
Action = Callable[[Any, HttpRequest, QuerySet], HttpResponse | None]


def operation(description: str, *, done: str, consequence: str) -> Callable[[Run], Action]:
    """Make an admin action of a method `(self, operator, object)`, which may raise a DomainError.

    Args:
        description: the button.
        done: what was done to the objects, as in “3 share links: revoked.”
        consequence: a sentence that the operator reads before.
    """

    def decorate(run: Run) -> Action:
        @admin.action(description=description, permissions=["operate"])
        @wraps(run)
        def act(model_admin: Any, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
            objects = list(queryset[: MOST_OBJECTS + 1])
            if len(objects) > MOST_OBJECTS:
                messages.error(request, f"No more than {MOST_OBJECTS} at once: choose fewer.")
                return None
            if len(objects) > 1 and "confirmed" not in request.POST:
                return _ask(model_admin, request, objects, act)
            _run_each(model_admin, request, objects, run, done)
            return _back(request)

        act.consequence = consequence  # type: ignore[attr-defined]  # read by the page that asks first
        return act

    return decorate


def _ask(model_admin: Any, request: HttpRequest, objects: Sequence[Model], act: Any) -> HttpResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"{act.short_description}: are you sure?",
        "opts": model_admin.opts,
        "action": request.POST["action"],
        "action_description": act.short_description,
        "consequence": act.consequence,
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "objects": [(each.pk, model_admin.name_of(each)) for each in objects],
    }
    return TemplateResponse(request, "operate/confirm.html", context)


def _run_each(model_admin: Any, request: HttpRequest, objects: Sequence[Model], run: Run, done: str) -> None:
    operator = operator_of(request)
    refusals = []
    for each in objects:
        name = model_admin.name_of(each)
        try:
            run(model_admin, operator, each)
        except DomainError as error:
            refusals.append(f"{name}: {error.detail}")
    count = len(objects) - len(refusals)
    if count:
        opts = model_admin.opts
        what = model_admin.name_of(objects[0]) if len(objects) == 1 else f"{count} {opts.verbose_name_plural}"
        messages.success(request, f"{what}: {done}.")
    for refusal in refusals[:MOST_REFUSALS]:
        messages.error(request, refusal)
    if len(refusals) > MOST_REFUSALS:
        messages.error(request, f"…and {len(refusals) - MOST_REFUSALS} more were refused.")


def _back(request: HttpRequest) -> HttpResponse | None:
    """To the page with the button; to the list if there is none."""
    page = request.POST.get("next", "")
    hosts = {request.get_host()}
    is_ours = url_has_allowed_host_and_scheme(page, hosts, require_https=request.is_secure())
    return HttpResponseRedirect(page) if is_ours else None
