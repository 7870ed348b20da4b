"""Share links: what they give, to how many, for how long, and how often one may guess."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from accounts.errors import (
    InvalidError,
    NotFoundError,
    PasswordRequiredError,
    PermissionDeniedError,
    WrongPasswordError,
)
from accounts.models import AuditEntry, User
from collab.models import Room, RoomRole, ShareLink, ShareLinkGrant, WrongPassword
from collab.policies import access_for
from collab.services import members, share_links
from collab.services.share_links import redeem_share_link
from tests.factories import (
    make_link,
    make_link_grant,
    make_room,
    make_user,
    recorded_access_changes,
    run_together,
)

pytestmark = pytest.mark.django_db

OWNER, EDITOR, VIEWER = RoomRole


@pytest.fixture
def announced(django_capture_on_commit_callbacks) -> Callable[[Callable[[], Any]], list]:
    """What a call announces."""

    def changes_of(call: Callable[[], Any]) -> list:
        with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
            call()
        return changes

    return changes_of


@pytest.fixture
def hashed(monkeypatch) -> list[str]:
    """The passwords that were hashed, to be set or to be compared."""
    passwords: list[str] = []

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def count(password: str, *args: Any) -> Any:
            passwords.append(password)
            return function(password, *args)

        return count

    for name in ("check_password", "make_password"):
        monkeypatch.setattr(share_links, name, counting(getattr(share_links, name)))
    return passwords


def past() -> Any:
    return timezone.now() - timedelta(seconds=1)


DEAD_LINKS: dict[str, Callable[[], str]] = {
    "unknown": lambda: "guess",
    "expired": lambda: make_link(make_room(), expires_at=past()).token,
    "used up": lambda: make_link(make_room(), uses=2, max_uses=2).token,
    "in the trash": lambda: make_link(make_room(trashed_at=past())).token,
    "expired, with a password": lambda: make_link(make_room(), expires_at=past(), password="x").token,
}


@pytest.mark.parametrize("token", DEAD_LINKS.values(), ids=DEAD_LINKS.keys())
@pytest.mark.parametrize("password", [None, "secret"])
def test_redeem_of_a_dead_link_is_the_same_error_whatever_killed_it(token, password, hashed) -> None:
    with pytest.raises(NotFoundError, match=r"^Share link not found\.$"):
        redeem_share_link(actor=make_user(), token=token(), password=password)
    assert not ShareLinkGrant.objects.exists()
    assert not WrongPassword.objects.exists()
    assert hashed == []


def test_redeem_of_a_deleted_link_raises_not_found() -> None:
    owner = make_user()
    link = make_link(make_room(owner=owner))
    share_links.delete_share_link(actor=owner, room_id=link.room_id, link_id=link.pk)
    with pytest.raises(NotFoundError):
        redeem_share_link(actor=make_user(), token=link.token)


def test_create_keeps_neither_token_nor_password() -> None:
    owner = make_user()
    room = make_room(owner=owner)
    made = share_links.create_share_link(actor=owner, room_id=room.pk, role=VIEWER, password="open sesame")
    stored = " ".join(str(value) for value in ShareLink.objects.values().get().values())
    told = str(list(AuditEntry.objects.values()))
    for secret in (made.token, "open sesame"):
        assert secret not in stored
        assert secret not in told
    assert len(made.token) >= 43
    assert redeem_share_link(actor=make_user(), token=made.token, password="open sesame") == room.pk


@pytest.mark.parametrize("role", [EDITOR, VIEWER])
def test_redeem_gives_the_role_and_announces_the_user_alone(role: RoomRole, announced) -> None:
    user = make_user()
    link = make_link(make_room(), role=role)
    assert announced(lambda: redeem_share_link(actor=user, token=link.token)) == [(User, user.pk)]
    assert access_for(user, link.room).role == role
    link.refresh_from_db()
    assert link.uses == 1


def test_redeem_again_takes_no_use_and_asks_for_no_password(announced, hashed) -> None:
    user = make_user()
    link = make_link(make_room(), max_uses=1, password=make_password("secret"))
    redeem_share_link(actor=user, token=link.token, password="secret")
    assert announced(lambda: redeem_share_link(actor=user, token=link.token)) == []
    link.refresh_from_db()
    assert link.uses == 1
    assert hashed == ["secret"]


def test_change_of_the_role_is_one_for_those_it_has_let_in(announced) -> None:
    owner, user = make_user(), make_user()
    link = make_link(make_room(owner=owner), role="editor")
    redeem_share_link(actor=user, token=link.token)
    change = partial(share_links.update_share_link, actor=owner, room_id=link.room_id, link_id=link.pk)
    assert announced(lambda: change(role=VIEWER)) == [(Room, link.room_id)]
    assert access_for(user, link.room).role == VIEWER


@pytest.mark.parametrize("end", ["expire", "delete"])
def test_link_that_ends_takes_what_it_gave(end: str, announced) -> None:
    owner, user = make_user(), make_user()
    link = make_link(make_room(owner=owner))
    redeem_share_link(actor=user, token=link.token)
    which = {"actor": owner, "room_id": link.room_id, "link_id": link.pk}
    change = {
        "expire": partial(share_links.update_share_link, expires_at=past(), **which),
        "delete": partial(share_links.delete_share_link, **which),
    }[end]
    assert announced(change) == [(Room, link.room_id)]
    assert access_for(user, link.room).role is None


def test_member_who_is_removed_loses_what_links_of_the_room_gave_too() -> None:
    owner, user, other = make_user(), make_user(), make_user()
    room, elsewhere = make_room(owner=owner, viewer=user), make_room()
    for each in (make_link_grant(room, user), make_link_grant(elsewhere, user), make_link_grant(room, other)):
        assert access_for(each.user, each.link.room).role == VIEWER
    member = room.members.get(user=user)
    members.remove_room_member(actor=owner, room_id=room.pk, member_id=member.pk)
    assert access_for(user, room).role is None
    assert access_for(user, elsewhere).role == VIEWER
    assert access_for(other, room).role == VIEWER


def test_change_of_what_moves_no_access_announces_nothing(announced) -> None:
    owner = make_user()
    link = make_link(make_room(owner=owner))
    change = partial(share_links.update_share_link, actor=owner, room_id=link.room_id, link_id=link.pk)
    assert announced(lambda: change(password="secret", max_uses=5)) == []


def test_change_of_max_uses_below_the_uses_raises() -> None:
    owner = make_user()
    link = make_link(make_room(owner=owner), uses=3)
    change = partial(share_links.update_share_link, actor=owner, room_id=link.room_id, link_id=link.pk)
    with pytest.raises(InvalidError) as caught:
        change(max_uses=2)
    assert list(caught.value.fields) == ["max_uses"]
    assert change(max_uses=3).max_uses == 3


def test_link_of_another_room_can_be_neither_changed_nor_deleted() -> None:
    owner = make_user()
    foreign = make_link(make_room(owner=owner))
    which = {"actor": owner, "room_id": make_room(owner=owner).pk, "link_id": foreign.pk}
    with pytest.raises(NotFoundError):
        share_links.update_share_link(role=EDITOR, **which)
    with pytest.raises(NotFoundError):
        share_links.delete_share_link(**which)


@pytest.mark.parametrize(("role", "error"), [("editor", PermissionDeniedError), (None, NotFoundError)])
def test_password_by_someone_who_may_not_share_is_never_hashed(role, error, hashed) -> None:
    user = make_user()
    room = make_room(**({role: user} if role else {}))
    with pytest.raises(error):
        share_links.create_share_link(actor=user, room_id=room.pk, role=VIEWER, password="secret")
    with pytest.raises(error):
        share_links.update_share_link(actor=user, room_id=room.pk, link_id=uuid4(), password="secret")
    assert hashed == []


def test_redeem_without_the_password_asks_for_it_and_is_no_attempt(hashed) -> None:
    link = make_link(make_room(), password=make_password("secret"))
    for given in (None, ""):
        with pytest.raises(PasswordRequiredError):
            redeem_share_link(actor=make_user(), token=link.token, password=given)
    assert hashed == []
    assert not WrongPassword.objects.exists()


def guess(user: User, link: ShareLink, password: str = "guess") -> str:
    try:
        redeem_share_link(actor=user, token=link.token, password=password)
    except PermissionDeniedError as error:
        return error.code
    return "in"


def test_guesses_of_one_user_are_bounded_for_good_and_others_are_let_in(hashed) -> None:
    guesser = make_user()
    link = make_link(make_room(), password=make_password("secret"))
    codes = [guess(guesser, link) for _ in range(12)]
    assert codes == ["wrong_password"] * 10 + ["too_many_attempts"] * 2
    assert guess(guesser, link, "secret") == "too_many_attempts"
    assert len(hashed) == 10
    assert guess(make_user(), link, "secret") == "in"


def test_guesses_of_all_users_together_are_bounded_until_there_is_another_password(hashed) -> None:
    owner, guesser = make_user(), make_user()
    link = make_link(make_room(owner=owner), password=make_password("secret"))
    for someone in [make_user() for _ in range(10)]:
        WrongPassword.objects.bulk_create(WrongPassword(link=link, user=someone) for _ in range(10))
    assert guess(guesser, link, "secret") == "too_many_attempts"
    assert hashed == []
    share_links.update_share_link(
        actor=owner, room_id=link.room_id, link_id=link.pk, password="another secret"
    )
    assert guess(guesser, link, "secret") == "wrong_password"
    assert guess(guesser, link, "another secret") == "in"


def test_right_password_takes_back_the_mistakes_of_its_user_alone() -> None:
    user, guesser = make_user(), make_user()
    link = make_link(make_room(), password=make_password("secret"))
    guess(guesser, link)
    guess(user, link)
    assert guess(user, link, "secret") == "in"
    assert [row.user for row in WrongPassword.objects.all()] == [guesser]


def test_password_that_was_changed_while_the_old_one_was_compared_lets_nobody_in(monkeypatch) -> None:
    owner, user = make_user(), make_user()
    link = make_link(make_room(owner=owner), password=make_password("secret"))
    compare = share_links.check_password

    def change_meanwhile(password: str, encoded: str) -> bool:
        share_links.update_share_link(actor=owner, room_id=link.room_id, link_id=link.pk, password="other")
        return compare(password, encoded)

    monkeypatch.setattr(share_links, "check_password", change_meanwhile)
    with pytest.raises(WrongPasswordError):
        redeem_share_link(actor=user, token=link.token, password="secret")
    assert access_for(user, link.room).role is None


def test_audit_tells_who_made_changed_used_and_deleted_a_link() -> None:
    owner, user = make_user(), make_user()
    room = make_room(owner=owner)
    link, token = share_links.create_share_link(actor=owner, room_id=room.pk, role=VIEWER, max_uses=3)
    which = {"actor": owner, "room_id": room.pk, "link_id": link.pk}
    share_links.update_share_link(role=EDITOR, **which)
    redeem_share_link(actor=user, token=token)
    share_links.delete_share_link(**which)
    told = AuditEntry.objects.order_by("number")
    assert [(entry.action, entry.actor_id, entry.details["role"]) for entry in told] == [
        ("share_link.created", owner.pk, "viewer"),
        ("share_link.changed", owner.pk, "editor"),
        ("share_link.redeemed", user.pk, "editor"),
        ("share_link.deleted", owner.pk, "editor"),
    ]
    assert {(entry.organization_id, entry.room_id, entry.subject_id) for entry in told} == {
        (room.organization_id, room.pk, link.pk)
    }


@pytest.mark.django_db(transaction=True)
def test_redeem_by_many_at_once_lets_in_as_many_as_it_may() -> None:
    link = make_link(make_room(), max_uses=2)
    results = run_together(
        *(partial(redeem_share_link, actor=make_user(), token=link.token) for _ in range(6))
    )
    assert sorted(type(result).__name__ for result in results) == ["NotFoundError"] * 4 + ["UUID"] * 2
    link.refresh_from_db()
    assert (link.uses, link.grants.count()) == (2, 2)


@pytest.mark.django_db(transaction=True)
def test_redeem_by_one_user_many_times_at_once_takes_one_use() -> None:
    user, link = make_user(), make_link(make_room(), max_uses=5)
    results = run_together(*[partial(redeem_share_link, actor=user, token=link.token)] * 5)
    assert results == [link.room_id] * 5
    link.refresh_from_db()
    assert (link.uses, link.grants.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_guesses_at_once_are_bounded_too(hashed) -> None:
    guesser, link = make_user(), make_link(make_room(), password=make_password("secret"))
    WrongPassword.objects.bulk_create(WrongPassword(link=link, user=guesser) for _ in range(7))
    codes = run_together(*[partial(guess, guesser, link)] * 6)
    assert sorted(codes) == ["too_many_attempts"] * 3 + ["wrong_password"] * 3
    assert len(hashed) == 3


@pytest.mark.django_db(transaction=True)
def test_redeem_while_the_link_is_deleted_leaves_no_grant() -> None:
    owner = make_user()
    link = make_link(make_room(owner=owner))
    delete = partial(share_links.delete_share_link, actor=owner, room_id=link.room_id, link_id=link.pk)
    results = run_together(
        *(partial(redeem_share_link, actor=make_user(), token=link.token) for _ in range(3)), delete
    )
    assert {type(result).__name__ for result in results} <= {"NotFoundError", "UUID", "NoneType"}, results
    assert not ShareLinkGrant.objects.exists()
