"""`rooms/{id}/ticket/`: one socket, one room, one minute; and nothing a reader of the database could use."""

from __future__ import annotations

import time
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from accounts.audit import AuditAction
from accounts.models import AuditEntry, Origin, Session, Ticket, User
from accounts.services.sessions import begin_session, end_session
from accounts.services.tickets import INVALID, use_ticket
from accounts.tokens import PASSWORD_CHANGED, SESSION_ENDED, Credential, TokenRefusedError
from collab.models import Room
from tests.factories import api_client, make_organization, make_room, recorded_access_changes

pytestmark = pytest.mark.django_db


@pytest.fixture
def room(user: User) -> Room:
    return make_room(viewer=user)


def new_ticket(client: APIClient, room: Room) -> str:
    response = client.post(f"/api/v1/rooms/{room.pk}/ticket/")
    assert response.status_code == 201, response.content
    return str(response.json()["ticket"])


def use(ticket: str) -> tuple[User, Credential]:
    return use_ticket(ticket.encode(), origin=Origin("192.0.2.1", "agent"))


def assert_refused(ticket: str, reason: str = INVALID) -> None:
    with pytest.raises(TokenRefusedError) as raised:
        use(ticket)
    assert str(raised.value) == reason


def test_ticket_has_its_address(api: APIClient, room: Room) -> None:
    body = api.post(f"/api/v1/rooms/{room.pk}/ticket/", HTTP_HOST="localhost:8000").json()
    assert set(body) == {"ticket", "expires_in", "url"}
    assert body["expires_in"] == 60
    assert body["url"] == f"ws://localhost:8000/ws/{room.pk}?ticket={body['ticket']}"
    assert api.post(f"/api/v1/rooms/{room.pk}/ticket/", secure=True).json()["url"].startswith("wss://")


def test_database_holds_only_the_digest(api: APIClient, room: Room) -> None:
    ticket = new_ticket(api, room)
    assert Ticket.objects.get().digest == sha256(ticket.encode()).hexdigest()
    assert len(ticket) >= 43


def test_tickets_differ(api: APIClient, room: Room) -> None:
    assert len({new_ticket(api, room) for _ in range(5)}) == 5


def test_ticket_opens_one_room_as_long_as_the_token_it_was_asked_for_with(user: User, room: Room) -> None:
    token = begin_session(user=user).access_token
    client = api_client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    found, credential = use(new_ticket(client, room))
    assert (found, credential.room_id, credential.ticket_id) == (user, room.pk, Ticket.objects.get().pk)
    assert credential.session_id == UUID(token["sid"])
    assert credential.password_fingerprint == token["hash_password"]
    assert credential.expires_at == token["exp"]


def test_ticket_used_a_second_time_is_refused_revoked_and_audited_once(
    api: APIClient, user: User, room: Room, django_capture_on_commit_callbacks: Any
) -> None:
    organization = make_organization(member=user)
    ticket = new_ticket(api, room)
    use(ticket)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        for _ in range(3):
            assert_refused(ticket)
    row = Ticket.objects.get()
    assert row.revoked_at is not None
    assert changes == [(Ticket, row.pk)]
    entry = AuditEntry.objects.get(action=AuditAction.TICKET_REUSED)
    assert (entry.organization_id, entry.room_id) == (organization.pk, room.pk)
    assert (entry.actor_id, entry.subject_id, entry.address) == (None, user.pk, "192.0.2.1")


def test_ticket_that_is_too_old_is_refused_and_was_not_used(api: APIClient, room: Room) -> None:
    ticket = new_ticket(api, room)
    assert Ticket.objects.get().expires_at <= timezone.now() + timedelta(seconds=60)
    Ticket.objects.update(expires_at=timezone.now())
    for _ in range(2):
        assert_refused(ticket)
    row = Ticket.objects.get()
    assert (row.used_at, row.revoked_at) == (None, None)


def test_ticket_that_was_used_in_time_and_comes_again_too_late_is_revoked(api: APIClient, room: Room) -> None:
    ticket = new_ticket(api, room)
    use(ticket)
    Ticket.objects.update(expires_at=timezone.now() - timedelta(minutes=5))
    assert_refused(ticket)
    assert Ticket.objects.get().revoked_at is not None


@pytest.mark.parametrize("ticket", ["", "x", "x" * 1000, "\0"])
def test_unknown_ticket_is_refused(db: None, ticket: str) -> None:
    assert_refused(ticket)


def test_ticket_of_a_deactivated_user_is_refused(api: APIClient, room: Room) -> None:
    ticket = new_ticket(api, room)
    User.objects.update(is_active=False)
    assert_refused(ticket, "User is inactive.")


def test_ticket_from_before_a_change_of_password_is_refused(api: APIClient, user: User, room: Room) -> None:
    ticket = new_ticket(api, room)
    user.set_password("another")
    user.save()
    assert_refused(ticket, PASSWORD_CHANGED)


def test_ticket_of_a_session_that_was_ended_is_refused(user: User, room: Room) -> None:
    refresh = begin_session(user=user)
    client = api_client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {refresh.access_token}")
    tickets = [new_ticket(client, room) for _ in range(2)]
    end_session(refresh=str(refresh), origin=Origin())
    assert_refused(tickets[0], SESSION_ENDED)
    Session.objects.all().delete()
    assert_refused(tickets[1])


def test_ticket_is_no_access_token(api: APIClient, room: Room) -> None:
    client = api_client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {new_ticket(api, room)}")
    assert client.get("/api/v1/users/me/").status_code == 401


def test_socket_of_a_ticket_lives_no_longer_than_the_token(user: User, room: Room) -> None:
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=timedelta(seconds=5))
    client = api_client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    _, credential = use(new_ticket(client, room))
    assert credential.expires_at - time.time() <= 5
