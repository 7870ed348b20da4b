"""Mails: who gets one, what it says, where it leads; and that a mail server that fails fails nobody."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives

from accounts.invitations import check_invitation_token
from accounts.signals import member_added
from collab.models import AccessRequest, AccessRequestStatus, RoomMember
from collab.signals import access_request_answered, access_requested
from tests.factories import (
    add_to_organization,
    add_to_room,
    make_group,
    make_organization,
    make_room,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def frontend(settings) -> None:
    settings.FRONTEND_URL = "https://app.example.com"


def only_mail() -> EmailMultiAlternatives:
    assert len(mail.outbox) == 1
    sent = mail.outbox[0]
    assert isinstance(sent, EmailMultiAlternatives)
    return sent


def link_in(sent: EmailMultiAlternatives) -> str:
    """The one link, which text and HTML agree on."""
    html = str(sent.alternatives[0].content)
    found = set(re.findall(r"https://\S+", sent.body)) | set(re.findall(r'href="([^"]+)"', html))
    assert len(found) == 1
    return found.pop()


def test_invitation_leads_to_an_account_for_this_address() -> None:
    room, ada = make_room(name="Plan"), make_user("Ada")
    member = RoomMember.objects.create(room=room, email="new@example.com", role="editor")
    member_added.send(RoomMember, membership=member, actor=ada)
    sent = only_mail()
    assert (sent.to, sent.subject) == (["new@example.com"], "Ada invites you to “Plan”")
    assert "as editor" in sent.body
    link = link_in(sent)
    assert link.endswith(f"?room={room.pk}")
    token = unquote(link.removeprefix("https://app.example.com/invitations/").partition("?")[0])
    check_invitation_token(token, email="new@example.com", field="token")


@pytest.mark.parametrize("kind", ["room", "organization"])
def test_member_with_an_account_is_told_where_they_were_added(kind: str) -> None:
    ada, ben = make_user("Ada"), make_user("Ben", email="ben@example.com")
    organization = make_organization(name="Press")
    room = make_room(organization, name="Press")
    target = room if kind == "room" else organization
    member = (
        add_to_room(room, ben, "viewer")
        if kind == "room"
        else add_to_organization(organization, ben, "guest")
    )
    member_added.send(type(member), membership=member, actor=ada)
    sent = only_mail()
    assert (sent.to, sent.subject) == (["ben@example.com"], "Ada shares “Press” with you")
    assert link_in(sent) == f"https://app.example.com/{kind}s/{target.pk}"


def test_group_and_oneself_are_told_nothing() -> None:
    ada, organization = make_user(), make_organization()
    room = make_room(organization)
    group = RoomMember.objects.create(room=room, group=make_group(organization), role="viewer")
    for member in (group, add_to_room(room, ada, "owner")):
        member_added.send(RoomMember, membership=member, actor=ada)
    assert mail.outbox == []


def test_names_with_markup_and_line_breaks_do_no_harm() -> None:
    mallory = make_user(email="m@example.com", name="<b>Mal</b>\r\nBcc: all@example.com")
    room = make_room(name="<script>alert(1)</script>")
    member = RoomMember.objects.create(room=room, email="new@example.com", role="viewer")
    member_added.send(RoomMember, membership=member, actor=mallory)
    sent = only_mail()
    assert "\n" not in sent.subject
    assert sent.recipients() == ["new@example.com"]
    html = str(sent.alternatives[0].content)
    assert "<script>" not in html
    assert "<b>Mal" not in html


def make_request(**fields: object) -> AccessRequest:
    asker = make_user("Cleo", email="cleo@example.com")
    fields = {"room": make_room(name="Plan"), "role": "editor", "message": "Please & thank you", **fields}
    return AccessRequest.objects.create(user=asker, **fields)


def test_request_goes_to_the_owners_of_the_room_each_for_themselves() -> None:
    owners = [make_user(email=f"owner{number}@example.com") for number in (1, 2)]
    gone = make_user(is_active=False)
    room = make_room(make_organization(owner=make_user()), name="Plan")
    for user in (*owners, gone):
        add_to_room(room, user, "owner")
    request = make_request(room=room)
    access_requested.send(AccessRequest, access_request=request)
    assert sorted(sent.to for sent in mail.outbox) == [["owner1@example.com"], ["owner2@example.com"]]
    assert "Cleo (cleo@example.com) asks to be editor" in mail.outbox[0].body
    assert "Please & thank you" in mail.outbox[0].body


def test_request_in_a_room_without_owner_goes_to_those_of_the_organization() -> None:
    admin = make_user(email="admin@example.com")
    request = make_request(room=make_room(make_organization(admin=admin, member=make_user())))
    access_requested.send(AccessRequest, access_request=request)
    assert only_mail().to == ["admin@example.com"]


@pytest.mark.parametrize(
    ("status", "says"), [("accepted", "You are now editor of"), ("declined", "was declined")]
)
def test_answer_goes_to_whoever_asked(status: str, says: str) -> None:
    request = make_request(status=AccessRequestStatus(status))
    access_request_answered.send(AccessRequest, access_request=request)
    sent = only_mail()
    assert sent.to == ["cleo@example.com"]
    assert says in sent.body


def test_development_prints_what_a_person_would_read(settings, capsys) -> None:
    settings.EMAIL_BACKEND = "accounts.mail.ConsoleBackend"
    access_request_answered.send(AccessRequest, access_request=make_request(status="declined"))
    printed = capsys.readouterr().out
    assert "To: cleo@example.com\nSubject: No access to “Plan”\n" in printed
    assert "was declined" in printed
    assert "<" not in printed


def test_mail_server_that_does_not_answer_is_logged_and_fails_nothing(settings, caplog) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    access_request_answered.send(AccessRequest, access_request=make_request())
    assert "No mail was sent" in caplog.text
    assert "cleo@example.com" not in caplog.text
