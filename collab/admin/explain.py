"""Why somebody has access to a room, or not: the page on which an operator asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, NamedTuple
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.admin.pages import link_to
from accounts.models import OrganizationMember, OrganizationRole, User
from collab.models import AccessRequestStatus, Room, RoomMember, RoomRole, ShareLinkGrant
from collab.selectors import AccessExplanation, GivenRole, explain_access

_WIDE = forms.TextInput(attrs={"size": 40})


class ExplainForm(forms.Form):
    """Who, and which room."""

    user = forms.CharField(max_length=254, label="User", widget=_WIDE, help_text="E-mail address or id.")
    room = forms.CharField(max_length=254, label="Room", widget=_WIDE, help_text="Id.")

    def clean_user(self) -> User:
        given = self.cleaned_data["user"].strip()
        user_id = _id(given)
        known = {"email": given.lower()} if user_id is None else {"pk": user_id}
        user = User.objects.filter(**known).first()
        if user is None:
            raise forms.ValidationError("There is no such user.")
        return user

    def clean_room(self) -> Room:
        room_id = _id(self.cleaned_data["room"].strip())
        room = None if room_id is None else _rooms().filter(pk=room_id).first()
        if room is None:
            raise forms.ValidationError("There is no such room.")
        return room


class Line(NamedTuple):
    """One grant, in words."""

    what: str
    source: str
    role: str
    expires_at: object


_KINDS = {
    "member": "Member of the room",
    "group": "Group that is a member",
    "share_link": "Share link",
    "organization": "Role in the organization",
    "organization_wide": "Open to the organization",
}


def explain(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """The page; needs the permissions to see rooms and users."""
    if not (model_admin.has_view_permission(request) and request.user.has_perm("accounts.view_user")):
        raise PermissionDenied
    form = ExplainForm(request.GET or None)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Explain access",
        "opts": model_admin.opts,
        "form": form,
    }
    if form.is_bound and form.is_valid():
        user, room = form.cleaned_data["user"], form.cleaned_data["room"]
        explanation = explain_access(user, room)
        role = explanation.access.role
        context |= {
            "user_link": link_to(user),
            "room_link": link_to(room),
            "organization_link": link_to(room.organization),
            "explanation": explanation,
            "lines": [_line(given) for given in explanation.given],
            "abilities": [name for name, has in asdict(explanation.access.abilities).items() if has],
            "reasons": list(_reasons(user, room, explanation)) if role != RoomRole.OWNER else [],
        }
    return TemplateResponse(request, "operate/explain.html", context)


def _rooms() -> QuerySet[Room]:
    return Room.objects.select_related("organization")


def _line(given: GivenRole) -> Line:
    source = given.source
    if isinstance(source, OrganizationMember):
        text = f"{source.get_role_display()} since {source.created_at:%Y-%m-%d}"
    elif given.group is not None:
        text = link_to(given.group)
    else:
        text = link_to(source, f"Since {source.created_at:%Y-%m-%d %H:%M} UTC")
    return Line(_KINDS[given.kind], text, given.role.label, given.expires_at)


def _reasons(user: User, room: Room, explanation: AccessExplanation) -> Iterator[str]:
    """Why it is no more than that."""
    if not explanation.is_active_user:
        yield "The user is deactivated: whatever is given to them gives nothing."
    if explanation.is_trashed:
        yield "The room is in the trash: nobody has access."
    member = OrganizationMember.objects.filter(organization=room.organization_id, user=user).first()
    if member is None:
        yield "The user is no member of the room's organization."
    elif member.role == OrganizationRole.GUEST:
        yield "A guest of the organization has only what was given to them in the room itself."
    elif room.organization_role is None and member.role == OrganizationRole.MEMBER:
        yield "The room is not open to all members of its organization."
    if RoomMember.objects.filter(room=room, email=user.email).exists():
        yield "Their address is invited to the room; the invitation was not taken up."
    redeemed = ShareLinkGrant.objects.filter(link__room=room, user=user).count()
    if expired := redeemed - sum(given.kind == "share_link" for given in explanation.given):
        yield f"They came in by {expired} share link{'s' if expired > 1 else ''} that expired."
    if room.access_requests.filter(user=user, status=AccessRequestStatus.PENDING).exists():
        yield "They have asked for access; it was not answered yet."


def _id(given: str) -> UUID | None:
    try:
        return UUID(given)
    except ValueError:
        return None
