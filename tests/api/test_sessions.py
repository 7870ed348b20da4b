"""Sessions: begun by a sign-in, carried on by refresh tokens, ended by sign-out, theft or a new password."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.audit import AuditAction
from accounts.models import AuditEntry, Session, User
from accounts.services import sessions
from tests.factories import api_client, make_organization, make_user, recorded_access_changes, run_together

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
ME = "/api/v1/users/me/"
CHANGE = "/api/v1/users/me/password/"


@pytest.fixture
def user(db: None) -> User:
    return make_user(email="ada@example.com", password=PASSWORD)


def post(path: str, **body: Any) -> Any:
    return api_client().post(f"/api/v1/{path}", body)


def sign_in(password: str = PASSWORD) -> dict[str, str]:
    response = post("token/", email="ada@example.com", password=password)
    assert response.status_code == 200, response.content
    return dict(response.json())


def signed_in(access: str) -> APIClient:
    client = api_client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client


def refresh(token: str) -> Any:
    return post("token/refresh/", refresh=token)


def age_blacklist(by: timedelta) -> None:
    BlacklistedToken.objects.update(blacklisted_at=timezone.now() - by)


def trail(action: AuditAction) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action).order_by("organization_id", "number"))


def test_access_token_of_a_session_that_was_ended_is_refused_at_once(user: User, errors: Any) -> None:
    pair = sign_in()
    assert signed_in(pair["access"]).get(ME).status_code == 200
    assert post("token/blacklist/", refresh=pair["refresh"]).status_code == 200
    assert errors.code(signed_in(pair["access"]).get(ME), 401) == "token_not_valid"
    assert errors.code(post("token/verify/", token=pair["access"]), 401) == "token_not_valid"
    assert errors.code(refresh(pair["refresh"]), 401) == "token_not_valid"


def test_all_tokens_of_a_session_end_with_it_and_those_of_another_stay(user: User) -> None:
    first, other = sign_in(), sign_in()
    second = refresh(first["refresh"]).json()
    post("token/blacklist/", refresh=second["refresh"])
    statuses = [signed_in(pair["access"]).get(ME).status_code for pair in (first, second, other)]
    assert statuses == [401, 401, 200]
    assert refresh(other["refresh"]).status_code == 200


def test_sign_out_with_a_token_that_was_used_before_ends_the_session_too(user: User, errors: Any) -> None:
    first = sign_in()
    second = refresh(first["refresh"]).json()
    assert errors.code(post("token/blacklist/", refresh=first["refresh"]), 401) == "token_not_valid"
    assert signed_in(second["access"]).get(ME).status_code == 401


def test_sign_out_twice_is_401_and_audited_once(user: User) -> None:
    make_organization(member=user)
    pair = sign_in()
    assert post("token/blacklist/", refresh=pair["refresh"]).status_code == 200
    assert post("token/blacklist/", refresh=pair["refresh"]).status_code == 401
    assert len(trail(AuditAction.SIGNED_OUT)) == 1


def test_end_of_a_session_is_announced(user: User, django_capture_on_commit_callbacks: Any) -> None:
    pair = sign_in()
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        post("token/blacklist/", refresh=pair["refresh"])
    assert changes == [(Session, Session.objects.get().pk)]


def test_session_keeps_its_id_and_lives_as_long_as_its_newest_refresh_token(user: User) -> None:
    pair = sign_in()
    session = Session.objects.get()
    Session.objects.update(expires_at=timezone.now())
    newer = refresh(pair["refresh"]).json()
    token = RefreshToken(newer["refresh"])
    assert {token["sid"], AccessToken(newer["access"])["sid"]} == {str(session.pk)}
    assert Session.objects.get().expires_at.timestamp() == token["exp"]


def test_session_has_the_address_and_agent_of_the_sign_in(user: User) -> None:
    body = {"email": "ada@example.com", "password": PASSWORD}
    agent = "agent " * 100
    api_client().post("/api/v1/token/", body, REMOTE_ADDR="2001:db8::1", HTTP_USER_AGENT=agent)
    session = Session.objects.get()
    assert (session.address, session.user_agent) == ("2001:db8::1", agent[:200])


@pytest.mark.parametrize("address", ["", "unix:", "testserver"])
def test_sign_in_without_an_address_works(user: User, address: str) -> None:
    body = {"email": "ada@example.com", "password": PASSWORD}
    assert api_client().post("/api/v1/token/", body, REMOTE_ADDR=address).status_code == 200
    assert Session.objects.get().address is None


def test_database_holds_no_refresh_token(user: User) -> None:
    refresh(sign_in()["refresh"])
    assert set(OutstandingToken.objects.values_list("token", flat=True)) == {""}


# -- a refresh token that comes again


def test_refresh_token_that_comes_again_at_once_is_refused_and_the_session_goes_on(user: User) -> None:
    first = sign_in()
    second = refresh(first["refresh"]).json()
    age_blacklist(sessions.REUSE_GRACE - timedelta(seconds=2))
    assert refresh(first["refresh"]).status_code == 401
    assert signed_in(second["access"]).get(ME).status_code == 200
    assert refresh(second["refresh"]).status_code == 200


def test_refresh_token_that_comes_again_later_ends_the_session(
    user: User, errors: Any, django_capture_on_commit_callbacks: Any
) -> None:
    organization = make_organization(member=user)
    first = sign_in()
    second = refresh(first["refresh"]).json()
    age_blacklist(sessions.REUSE_GRACE + timedelta(seconds=1))
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        assert errors.code(refresh(first["refresh"]), 401) == "token_not_valid"
    assert changes == [(Session, Session.objects.get().pk)]
    assert signed_in(second["access"]).get(ME).status_code == 401
    assert refresh(second["refresh"]).status_code == 401
    (entry,) = trail(AuditAction.SIGNED_OUT)
    assert (entry.organization_id, entry.actor_id, entry.subject_id) == (organization.pk, None, user.pk)
    assert entry.details["reason"] == "refresh_token_reused"


def test_refresh_token_from_before_there_were_sessions_begins_one(user: User) -> None:
    pair = refresh(str(RefreshToken.for_user(user))).json()
    assert AccessToken(pair["access"])["sid"] == str(Session.objects.get().pk)
    post("token/blacklist/", refresh=pair["refresh"])
    assert signed_in(pair["access"]).get(ME).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_of_two_refreshes_at_once_one_succeeds(user: User) -> None:
    token = sign_in()["refresh"]
    answers = run_together(*([lambda: refresh(token)] * 3))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401]  # type: ignore[attr-defined]


# -- audit


def test_sign_in_and_sign_out_are_audited_in_each_organization_of_the_user(user: User) -> None:
    ids = sorted(make_organization(member=user).pk for _ in range(3))
    make_organization(member=make_user())
    pair = sign_in()
    post("token/blacklist/", refresh=pair["refresh"])
    session = str(Session.objects.get().pk)
    begun, ended = trail(AuditAction.SIGNED_IN), trail(AuditAction.SIGNED_OUT)
    assert [entry.organization_id for entry in begun] == [entry.organization_id for entry in ended] == ids
    assert {entry.actor_id for entry in begun + ended} == {user.pk}
    assert {entry.address for entry in begun + ended} == {"127.0.0.1"}
    assert begun[0].details == {"session": session}
    assert ended[0].details == {"session": session, "reason": "signed_out"}


def test_failed_sign_in_is_audited_once_a_minute_and_only_for_an_account(user: User) -> None:
    organization = make_organization(member=user)
    for email in ("ADA@example.com", "ada@example.com", "bob@example.com"):
        assert post("token/", email=email, password="wrong").status_code == 401
    (entry,) = trail(AuditAction.SIGN_IN_FAILED)
    assert (entry.organization_id, entry.subject_id, entry.actor_id) == (organization.pk, user.pk, None)
    assert entry.address == "127.0.0.1"


# -- the password


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("wrong", "another horse battery", "old_password"),
        ("", "another horse battery", "old_password"),
        (PASSWORD + " ", "another horse battery", "old_password"),
        (PASSWORD, "short", "new_password"),
        (PASSWORD, "password", "new_password"),
        (PASSWORD, "2938471029384", "new_password"),
        (PASSWORD, "ada@example.com", "new_password"),
        (PASSWORD, "x" * 129, "new_password"),
    ],
)
def test_change_of_password_that_is_refused_changes_nothing(
    user: User, errors: Any, old: str, new: str, field: str
) -> None:
    pair = sign_in()
    response = signed_in(pair["access"]).post(CHANGE, {"old_password": old, "new_password": new})
    assert list(errors.fields(response)) == [field]
    assert signed_in(pair["access"]).get(ME).status_code == 200
    assert sign_in()


def test_user_without_a_password_can_not_change_it(errors: Any) -> None:
    client = api_client(make_user())
    body = {"old_password": "", "new_password": "another horse battery"}
    assert list(errors.fields(client.post(CHANGE, body))) == ["old_password"]
    assert list(errors.fields(client.post(CHANGE, body | {"old_password": "!"}))) == ["old_password"]


def test_change_of_password_ends_everything_that_was_issued_before(
    user: User, django_capture_on_commit_callbacks: Any
) -> None:
    organization = make_organization(member=user)
    pairs = [sign_in(), sign_in()]
    bare = str(AccessToken.for_user(user))
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        body = {"old_password": PASSWORD, "new_password": "another horse battery"}
        response = signed_in(pairs[0]["access"]).post(CHANGE, body)
    assert (response.status_code, response.content) == (204, b"")
    assert changes == [(User, user.pk)]
    tokens = [*(pair["access"] for pair in pairs), bare]
    assert [signed_in(token).get(ME).status_code for token in tokens] == [401] * 3
    assert [refresh(pair["refresh"]).status_code for pair in pairs] == [401] * 2
    assert not Session.objects.filter(ended_at__isnull=True).exists()
    (entry,) = trail(AuditAction.PASSWORD_CHANGED)
    assert (entry.organization_id, entry.actor_id, entry.details) == (organization.pk, user.pk, {})
    assert post("token/", email=user.email, password=PASSWORD).status_code == 401
    assert signed_in(sign_in("another horse battery")["access"]).get(ME).status_code == 200


def test_password_set_in_any_other_way_ends_sessions_too(
    user: User, django_capture_on_commit_callbacks: Any
) -> None:
    """As in the admin site, and by `manage.py changepassword`."""
    pair = sign_in()
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        user.set_password("another horse battery")
        user.save()
    assert changes == [(User, user.pk)]
    assert not Session.objects.filter(ended_at__isnull=True).exists()
    assert refresh(pair["refresh"]).status_code == 401
