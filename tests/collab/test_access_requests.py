"""Asking for access, and the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from accounts.errors import (
    AlreadyAnsweredError,
    AlreadyHasAccessError,
    AlreadyRequestedError,
    NotFoundError,
    PermissionDeniedError,
    UnknownUserError,
)
from accounts.models import AuditEntry, User
from collab import selectors
from collab.models import AccessRequest, Room, RoomMember, RoomRole
from collab.services.access_requests import (
    accept_access_request,
    decline_access_request,
    request_access,
)
from collab.signals import access_request_answered, access_requested
from tests.factories import (
    add_to_organization,
    make_link_grant,
    make_organization,
    make_room,
    make_user,
    run_together,
)

pytestmark = pytest.mark.django_db

OWNER, EDITOR, VIEWER = RoomRole


@pytest.fixture
def room() -> Room:
    return make_room(make_organization(owner=make_user()), owner=make_user())


@pytest.fixture
def owner(room: Room) -> User:
    return room.members.get().user


@pytest.fixture
def member(room: Room) -> User:
    """A member of the organization who can't read the room."""
    user = make_user()
    add_to_organization(room.organization, user, "member")
    return user


@contextmanager
def told(capture_on_commit_callbacks: Any) -> Iterator[list[tuple[str, AccessRequest]]]:
    """What the block tells those who write mails."""
    heard: list[tuple[str, AccessRequest]] = []

    def hear(name: str, *, access_request: AccessRequest, **_: Any) -> None:
        heard.append((name, access_request))

    signals = {"requested": access_requested, "answered": access_request_answered}
    receivers = {name: partial(hear, name) for name in signals}
    for name, signal in signals.items():
        signal.connect(receivers[name])
    try:
        with capture_on_commit_callbacks(execute=True):
            yield heard
    finally:
        for name, signal in signals.items():
            signal.disconnect(receivers[name])


def test_request_by_a_stranger_raises_not_found_as_for_an_unknown_room(room) -> None:
    for room_id in (room.pk, uuid4()):
        with pytest.raises(NotFoundError, match=r"^Room not found\.$"):
            request_access(actor=make_user(), room_id=room_id, role=VIEWER)
    assert not AccessRequest.objects.exists()


def test_request_for_a_room_in_the_trash_raises_not_found() -> None:
    user = make_user()
    room = make_room(make_organization(member=user), viewer=user, trashed_at="2026-01-01T00:00:00Z")
    with pytest.raises(NotFoundError):
        request_access(actor=user, room_id=room.pk, role=EDITOR)


@pytest.mark.parametrize("role", ["guest", "member"])
def test_request_by_a_member_of_the_organization_is_made(
    role: str, django_capture_on_commit_callbacks
) -> None:
    user = make_user()
    room = make_room(make_organization(**{role: user}))
    with told(django_capture_on_commit_callbacks) as heard:
        made = request_access(actor=user, room_id=room.pk, role=EDITOR, message="Please")
        assert heard == []  # not before the commit
    assert (made.user, made.role, made.message, made.status) == (user, "editor", "Please", "pending")
    assert heard == [("requested", made)]


def test_request_by_a_reader_for_more_is_made() -> None:
    user = make_user()
    room = make_room(viewer=user)
    assert request_access(actor=user, room_id=room.pk, role=EDITOR).role == "editor"


@pytest.mark.parametrize(("held", "asked"), [("viewer", VIEWER), ("editor", VIEWER), ("owner", EDITOR)])
def test_request_for_what_one_has_raises(held: str, asked: RoomRole) -> None:
    user = make_user()
    with pytest.raises(AlreadyHasAccessError):
        request_access(actor=user, room_id=make_room(**{held: user}).pk, role=asked)


def test_request_while_another_waits_raises(room, member) -> None:
    request_access(actor=member, room_id=room.pk, role=VIEWER)
    with pytest.raises(AlreadyRequestedError):
        request_access(actor=member, room_id=room.pk, role=EDITOR)


def test_request_after_the_answer_may_be_made_again(room, owner, member) -> None:
    first = request_access(actor=member, room_id=room.pk, role=VIEWER)
    decline_access_request(actor=owner, room_id=room.pk, request_id=first.pk)
    second = request_access(actor=member, room_id=room.pk, role=VIEWER)
    assert {row.status for row in room.access_requests.all()} == {"declined", "pending"}
    assert second.pk != first.pk


ANSWERS = [accept_access_request, decline_access_request]


@pytest.mark.parametrize("answer", ANSWERS)
def test_answer_by_whoever_asked_is_refused(answer: Callable[..., Any], room, member) -> None:
    request = request_access(actor=member, room_id=room.pk, role=VIEWER)
    with pytest.raises(NotFoundError):
        answer(actor=member, room_id=room.pk, request_id=request.pk)
    RoomMember.objects.create(room=room, user=member, role=EDITOR)
    with pytest.raises(PermissionDeniedError):
        answer(actor=member, room_id=room.pk, request_id=request.pk)


@pytest.mark.parametrize("answer", ANSWERS)
def test_answer_to_a_request_for_another_room_raises_not_found(answer, room, owner, member) -> None:
    request = request_access(actor=member, room_id=room.pk, role=VIEWER)
    other = make_room(owner=owner)
    with pytest.raises(NotFoundError):
        answer(actor=owner, room_id=other.pk, request_id=request.pk)


@pytest.mark.parametrize("first", ANSWERS)
@pytest.mark.parametrize("second", ANSWERS)
def test_answer_a_second_time_raises_and_changes_nothing(first, second, room, owner, member) -> None:
    request = request_access(actor=member, room_id=room.pk, role=VIEWER)
    answered = first(actor=owner, room_id=room.pk, request_id=request.pk)
    before = room.members.count()
    with pytest.raises(AlreadyAnsweredError):
        second(actor=owner, room_id=room.pk, request_id=request.pk)
    request.refresh_from_db()
    assert (request.status, request.answered_by, room.members.count()) == (answered.status, owner, before)


@pytest.mark.parametrize(("given", "role"), [(None, EDITOR), (VIEWER, VIEWER)])
def test_accept_gives_what_was_asked_or_what_the_answer_says(
    given, role, room, member, django_capture_on_commit_callbacks
) -> None:
    owner = room.members.get().user
    request = request_access(actor=member, room_id=room.pk, role=EDITOR)
    with told(django_capture_on_commit_callbacks) as heard:
        accepted = accept_access_request(actor=owner, room_id=room.pk, request_id=request.pk, role=given)
    assert room.members.get(user=member).role == role
    assert (accepted.role, accepted.status, accepted.answered_by) == (role, "accepted", owner)
    assert accepted.answered_at is not None
    assert heard == [("answered", accepted)]
    assert Room.objects.get().access_epoch == 1


@pytest.mark.parametrize(("held", "role"), [("viewer", "editor"), ("owner", "owner")])
def test_accept_raises_a_membership_and_never_lowers_it(held: str, role: str, room, owner, member) -> None:
    request = request_access(actor=member, room_id=room.pk, role=EDITOR)
    RoomMember.objects.create(room=room, user=member, role=held)
    accept_access_request(actor=owner, room_id=room.pk, request_id=request.pk)
    assert room.members.get(user=member).role == role


def test_accept_takes_the_place_of_an_invitation_of_the_address(room, owner, member) -> None:
    request = request_access(actor=member, room_id=room.pk, role=EDITOR)
    RoomMember.objects.create(room=room, email=member.email, role=OWNER)
    accept_access_request(actor=owner, room_id=room.pk, request_id=request.pk)
    assert sorted(row.role for row in room.members.all()) == ["editor", "owner"]
    assert not room.members.filter(email__isnull=False).exists()


def test_accept_of_somebody_who_was_deactivated_raises(room, owner, member) -> None:
    request = request_access(actor=member, room_id=room.pk, role=VIEWER)
    User.objects.filter(pk=member.pk).update(is_active=False)
    with pytest.raises(UnknownUserError):
        accept_access_request(actor=owner, room_id=room.pk, request_id=request.pk)


def test_decline_gives_nothing_and_moves_no_access(
    room, owner, member, django_capture_on_commit_callbacks
) -> None:
    request = request_access(actor=member, room_id=room.pk, role=VIEWER)
    with told(django_capture_on_commit_callbacks) as heard:
        declined = decline_access_request(actor=owner, room_id=room.pk, request_id=request.pk)
    assert declined.status == "declined"
    assert heard == [("answered", declined)]
    assert Room.objects.get().access_epoch == 0
    assert not room.members.filter(user=member).exists()


def test_requests_are_visible_to_those_who_share_and_to_whoever_asked(room, owner, member) -> None:
    other, reader, stranger = make_user(), make_user(), make_user()
    add_to_organization(room.organization, other, "guest")
    make_link_grant(room, reader)
    theirs = request_access(actor=member, room_id=room.pk, role=VIEWER)
    others = request_access(actor=other, room_id=room.pk, role=VIEWER)
    seen = {
        user: set(selectors.access_requests_visible_to(user, room.pk))
        for user in (owner, member, other, reader)
    }
    assert seen == {owner: {theirs, others}, member: {theirs}, other: {others}, reader: set()}
    assert selectors.access_access_request(member, room.pk, theirs.pk) == theirs
    for user, request in ((member, others), (reader, theirs), (stranger, theirs)):
        with pytest.raises(NotFoundError):
            selectors.access_access_request(user, room.pk, request.pk)


def test_audit_tells_who_asked_for_what_and_who_answered(room, owner, member) -> None:
    request = request_access(actor=member, room_id=room.pk, role=EDITOR, message="It's me, Ada")
    accept_access_request(actor=owner, room_id=room.pk, request_id=request.pk, role=VIEWER)
    told = AuditEntry.objects.order_by("number")
    assert [(entry.action, entry.actor_id, entry.details["role"]) for entry in told] == [
        ("access_request.made", member.pk, "editor"),
        ("access_request.accepted", owner.pk, "viewer"),
    ]
    assert {(entry.room_id, entry.subject_id) for entry in told} == {(room.pk, member.pk)}
    assert "Ada" not in str([entry.details for entry in told])


@pytest.mark.django_db(transaction=True)
def test_answers_at_once_are_one_answer(room, owner, member) -> None:
    request = request_access(actor=member, room_id=room.pk, role=VIEWER)
    which = {"actor": owner, "room_id": room.pk, "request_id": request.pk}
    results = run_together(*(partial(answer, **which) for answer in ANSWERS * 2))
    assert sorted(type(result).__name__ for result in results) == [
        "AccessRequest",
        *["AlreadyAnsweredError"] * 3,
    ]
    request.refresh_from_db()
    assert room.members.filter(user=member).exists() == (request.status == "accepted")


@pytest.mark.django_db(transaction=True)
def test_requests_at_once_are_one_request(room, member) -> None:
    ask = partial(request_access, actor=member, room_id=room.pk, role=VIEWER)
    results = run_together(*[ask] * 4)
    assert sorted(type(result).__name__ for result in results) == [
        "AccessRequest",
        *["AlreadyRequestedError"] * 3,
    ]
