"""Loading rooms with the right that is needed, and what live connections ask again and again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils import timezone

from accounts.errors import NotFoundError, PermissionDeniedError
from accounts.models import Organization, Session, Ticket, User
from accounts.tokens import Credential, TokenRefusedError, fingerprint_of
from collab import live_access, selectors
from collab.live_access import Subject
from collab.models import RoomRole
from tests.factories import add_to_room, make_link_grant, make_organization, make_room, make_user

pytestmark = pytest.mark.django_db
NOW = datetime.now(tz=UTC)


def test_rooms_visible_to_an_anonymous_user_are_none() -> None:
    make_room(owner=make_user())
    assert not selectors.rooms_visible_to(AnonymousUser()).exists()


def test_rooms_visible_in_the_trash_are_none() -> None:
    owner = make_user()
    make_room(make_organization(owner=owner), owner=owner, trashed_at=NOW)
    assert not selectors.rooms_visible_to(owner).exists()


def test_rooms_visible_by_several_grants_appear_once() -> None:
    user = make_user()
    room = make_room(make_organization(owner=user, admin=make_user()), owner=user, organization_role="editor")
    assert list(selectors.rooms_visible_to(user)) == [room]


def test_rooms_visible_of_one_organization_leave_out_the_others() -> None:
    user = make_user()
    organization = make_organization(owner=user)
    room = make_room(organization)
    make_room(make_organization(owner=user))
    assert list(selectors.rooms_visible_to(user, organization_id=organization.pk)) == [room]


def test_rooms_visible_of_a_foreign_organization_are_only_those_that_were_shared() -> None:
    user = make_user()
    organization = make_organization(owner=make_user())
    make_room(organization)
    shared = make_room(organization, viewer=user)
    assert list(selectors.rooms_visible_to(user, organization_id=organization.pk)) == [shared]


@pytest.mark.parametrize(("search", "names"), [("plan", ["Plan A", "PLAN B"]), ("%", ["100%"]), ("_", [])])
def test_rooms_visible_by_search_hold_the_text(search: str, names: list[str]) -> None:
    user = make_user()
    for name in ("Plan A", "PLAN B", "100%"):
        make_room(owner=user, name=name)
    found = selectors.rooms_visible_to(user, search=search)
    assert sorted(room.name for room in found) == sorted(names)


@pytest.mark.parametrize("needs", ["read", "write", "share", "manage", "delete"])
def test_access_room_without_a_grant_raises_not_found(needs) -> None:
    room = make_room(owner=make_user())
    with pytest.raises(NotFoundError):
        selectors.access_room(make_user(), room.pk, needs=needs)


def test_access_room_for_an_anonymous_user_raises_not_found() -> None:
    with pytest.raises(NotFoundError):
        selectors.access_room(AnonymousUser(), make_room().pk)


def test_access_room_in_the_trash_raises_not_found() -> None:
    owner = make_user()
    room = make_room(owner=owner, trashed_at=NOW)
    with pytest.raises(NotFoundError):
        selectors.access_room(owner, room.pk)


def test_access_room_even_trashed_without_a_grant_raises_not_found() -> None:
    room = make_room(owner=make_user(), trashed_at=NOW)
    with pytest.raises(NotFoundError):
        selectors.access_room(make_user(), room.pk, needs="delete", even_trashed=True)


@pytest.mark.parametrize("needs", ["write", "share", "manage", "delete"])
def test_access_room_without_the_right_raises_permission_denied(needs) -> None:
    viewer = make_user()
    room = make_room(viewer=viewer)
    with pytest.raises(PermissionDeniedError):
        selectors.access_room(viewer, room.pk, needs=needs)


def test_access_room_with_the_right_is_one_query(django_assert_num_queries) -> None:
    editor = make_user()
    room = make_room(editor=editor)
    with django_assert_num_queries(1):
        assert selectors.access_room(editor, room.pk, needs="write") == room


def test_access_room_even_trashed_gives_the_room() -> None:
    owner = make_user()
    room = make_room(owner=owner, trashed_at=NOW)
    assert selectors.access_room(owner, room.pk, needs="delete", even_trashed=True) == room


def test_access_room_member_of_another_room_raises_not_found() -> None:
    owner = make_user()
    room = make_room(owner=owner)
    foreign = add_to_room(make_room(owner=owner), make_user(), "viewer")
    with pytest.raises(NotFoundError):
        selectors.access_room_member(owner, room.pk, foreign.pk)


def test_find_room_access_of_an_unknown_room_or_user_is_none() -> None:
    user = make_user()
    assert live_access.find_room_access(Subject(user.pk), uuid4()) is None
    assert live_access.find_room_access(Subject(uuid4()), make_room(owner=user).pk) is None


def test_find_room_access_without_a_grant_is_none() -> None:
    assert live_access.find_room_access(Subject(make_user().pk), make_room(owner=make_user()).pk) is None


def test_find_room_access_of_a_deactivated_user_is_none() -> None:
    user = make_user(is_active=False)
    assert live_access.find_room_access(Subject(user.pk), make_room(owner=user).pk) is None


def test_find_room_access_in_the_trash_is_none() -> None:
    user = make_user()
    assert live_access.find_room_access(Subject(user.pk), make_room(owner=user, trashed_at=NOW).pk) is None


def test_find_room_access_gives_access_and_epochs_in_one_query(django_assert_num_queries) -> None:
    user = make_user(access_epoch=3)
    room = make_room(make_organization(member=user), organization_role="editor", access_epoch=1)
    Organization.objects.update(access_epoch=2)
    with django_assert_num_queries(1):
        found = live_access.find_room_access(Subject(user.pk), room.pk)
    assert found is not None
    assert found.access.role == RoomRole.EDITOR
    assert found.epochs == {room.pk: 1, room.organization_id: 2, user.pk: 3}


def make_session(user: User, **fields: object) -> Session:
    return Session.objects.create(user=user, expires_at=NOW, **fields)


def make_ticket(user: User, **fields: object) -> Ticket:
    moments = {"expires_at": NOW, "token_expires_at": NOW}
    return Ticket.objects.create(digest=uuid4().hex, user=user, room_id=uuid4(), **moments, **fields)


def credential_of(user: User, **fields: Any) -> Credential:
    return Credential(user.pk, 0.0, **fields)


def test_find_room_access_with_a_credential_has_its_epochs_in_the_same_query(
    django_assert_num_queries,
) -> None:
    user = make_user()
    room, session, ticket = make_room(editor=user), make_session(user), make_ticket(user)
    credential = credential_of(
        user,
        session_id=session.pk,
        ticket_id=ticket.pk,
        password_fingerprint=fingerprint_of(user.password),
    )
    with django_assert_num_queries(1):
        found = live_access.find_room_access(Subject(user.pk, credential), room.pk)
    assert found is not None
    assert found.epochs.keys() == {room.pk, room.organization_id, user.pk, session.pk, ticket.pk}
    assert live_access.current_epochs(found.epochs) == found.epochs


def bad_credentials(user: User) -> Iterator[Credential]:
    yield credential_of(user, session_id=uuid4())
    yield credential_of(user, session_id=make_session(user, ended_at=NOW).pk)
    yield credential_of(user, session_id=make_session(make_user()).pk)
    yield credential_of(user, ticket_id=uuid4())
    yield credential_of(user, ticket_id=make_ticket(user, revoked_at=NOW).pk)
    yield credential_of(user, password_fingerprint=fingerprint_of("another"))
    yield credential_of(user, password_fingerprint="")
    living = make_session(user).pk
    yield credential_of(user, session_id=living, ticket_id=make_ticket(user, revoked_at=NOW).pk)


def test_find_room_access_with_a_credential_that_was_ended_is_refused() -> None:
    user = make_user()
    room = make_room(owner=user)
    for credential in bad_credentials(user):
        with pytest.raises(TokenRefusedError):
            live_access.find_room_access(Subject(user.pk, credential), room.pk)


def test_find_room_access_of_a_deactivated_user_with_a_bad_credential_is_none() -> None:
    user = make_user(is_active=False)
    subject = Subject(user.pk, credential_of(user, session_id=uuid4()))
    assert live_access.find_room_access(subject, make_room(owner=user).pk) is None


def test_find_room_access_says_when_the_first_of_its_share_links_expires() -> None:
    user, room, now = make_user(), make_room(), timezone.now()
    make_link_grant(room, user, role="viewer", expires_at=now + timedelta(hours=2))
    make_link_grant(room, user, role="editor", expires_at=now + timedelta(hours=1))
    make_link_grant(room, user, role="editor", expires_at=now - timedelta(hours=1))
    make_link_grant(make_room(), user, expires_at=now + timedelta(minutes=1))
    make_link_grant(room, make_user(), expires_at=now + timedelta(minutes=1))
    make_link_grant(room, user)
    found = live_access.find_room_access(Subject(user.pk), room.pk)
    assert found is not None
    assert found.changes_at == now + timedelta(hours=1)


def test_find_room_access_by_a_link_without_an_end_does_not_change_by_itself() -> None:
    user, room = make_user(), make_room()
    make_link_grant(room, user)
    found = live_access.find_room_access(Subject(user.pk), room.pk)
    assert found is not None
    assert found.changes_at is None


def epochs_of(*rows: models.Model) -> dict[UUID, int]:
    return live_access.current_epochs([row.pk for row in rows])


def test_current_epochs_of_nothing_are_none_without_a_query(django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        assert epochs_of() == {}


def test_current_epochs_of_unknown_ids_are_absent() -> None:
    assert live_access.current_epochs([uuid4()]) == {}


def test_current_epochs_of_what_no_longer_counts_are_absent() -> None:
    room, user = make_room(trashed_at=NOW), make_user()
    ended = make_session(user, ended_at=NOW), make_ticket(user, revoked_at=NOW)
    assert epochs_of(room, make_user(is_active=False), *ended) == {}


def test_current_epochs_of_all_kinds_are_one_query(django_assert_num_queries) -> None:
    rooms = [make_room(access_epoch=number) for number in (1, 2)]
    user = make_user(access_epoch=2)
    session, ticket = make_session(user), make_ticket(user, used_at=NOW)
    expected = {rooms[0].pk: 1, rooms[1].pk: 2, rooms[0].organization_id: 0, user.pk: 2}
    expected |= {session.pk: 0, ticket.pk: 0}
    with django_assert_num_queries(1):
        assert epochs_of(*rooms, rooms[0].organization, user, session, ticket) == expected


def test_current_epochs_of_one_kind_are_one_query(django_assert_num_queries) -> None:
    user = make_user(access_epoch=7)
    with django_assert_num_queries(1):
        assert epochs_of(user) == {user.pk: 7}
