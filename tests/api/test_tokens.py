"""`token/…`: sign in, stay signed in, sign out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.models import User
from tests.factories import api_client, make_user

pytestmark = pytest.mark.django_db

TOKEN = "/api/v1/token/"
REFRESH = "/api/v1/token/refresh/"
VERIFY = "/api/v1/token/verify/"
BLACKLIST = "/api/v1/token/blacklist/"
ME = "/api/v1/users/me/"
PASSWORD = " correct horse battery "


@pytest.fixture
def user(db: None) -> User:
    return make_user(email="ada@example.com", password=PASSWORD)


def me_with(token: object) -> int:
    client = api_client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client.get(ME).status_code


@pytest.mark.parametrize(
    ("email", "password"),
    [("ada@example.com", "wrong"), ("ada@example.com", PASSWORD.strip()), ("bob@example.com", PASSWORD)],
)
def test_obtain_with_wrong_credentials_is_401(email: str, password: str, user: User, errors) -> None:
    response = api_client().post(TOKEN, {"email": email, "password": password})
    assert errors.code(response, 401) == "no_active_account"


def test_obtain_by_a_deactivated_user_is_401(user: User, errors) -> None:
    User.objects.update(is_active=False)
    response = api_client().post(TOKEN, {"email": user.email, "password": PASSWORD})
    assert errors.code(response, 401) == "no_active_account"


def test_obtain_with_an_unknown_field_is_400_and_names_it(errors) -> None:
    body = {"email": "a@example.com", "password": "x", "username": "a"}
    assert list(errors.fields(api_client().post(TOKEN, body))) == ["username"]


def test_obtain_with_a_nul_byte_is_400(errors) -> None:
    assert errors.fields(api_client().post(TOKEN, {"email": "a\0", "password": "x"}))


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@Example.com"])
def test_obtain_by_email_in_any_case_gives_a_pair_that_works(email: str, user: User) -> None:
    pair = api_client().post(TOKEN, {"email": email, "password": PASSWORD}).json()
    assert set(pair) == {"access", "refresh"}
    assert me_with(pair["access"]) == 200


@pytest.mark.parametrize("token", ["", "garbage", "a.b.c"])
def test_request_with_a_bad_token_is_401(token: str, errors) -> None:
    client = api_client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert errors.code(client.get(ME), 401)


def test_request_with_a_refresh_token_is_401(user: User) -> None:
    assert me_with(RefreshToken.for_user(user)) == 401


def test_request_with_an_expired_token_says_so(user: User) -> None:
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=-timedelta(seconds=1))
    client = api_client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    body = {"code": "token_not_valid", "detail": "Token is expired."}
    assert client.get(ME).json() == body


def test_request_after_a_change_of_password_is_401(user: User) -> None:
    token = AccessToken.for_user(user)
    user.set_password("another")
    user.save()
    assert me_with(token) == 401


def test_request_without_a_token_is_401_and_says_what_is_wanted(errors) -> None:
    response = api_client().get(ME)
    assert errors.code(response, 401) == "not_authenticated"
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("token", ["garbage", "jalapeño.ü.☃", "a.b.c"])
@pytest.mark.parametrize("path", [REFRESH, BLACKLIST])
def test_refresh_and_blacklist_of_garbage_are_401(path: str, token: str, errors) -> None:
    assert errors.code(api_client().post(path, {"refresh": token}), 401) == "token_not_valid"


def test_refresh_of_an_access_token_is_401(user: User, errors) -> None:
    response = api_client().post(REFRESH, {"refresh": str(AccessToken.for_user(user))})
    assert errors.code(response, 401) == "token_not_valid"


def test_refresh_by_a_deactivated_user_is_401(user: User, errors) -> None:
    token = RefreshToken.for_user(user)
    User.objects.update(is_active=False)
    assert errors.code(api_client().post(REFRESH, {"refresh": str(token)}), 401) == "user_inactive"


def test_refresh_by_a_deleted_user_is_401(user: User, errors) -> None:
    token = RefreshToken.for_user(user)
    user.delete()
    assert errors.code(api_client().post(REFRESH, {"refresh": str(token)}), 401) == "user_not_found"


def test_refresh_after_a_change_of_password_is_401(user: User, errors) -> None:
    token = RefreshToken.for_user(user)
    user.set_password("another")
    user.save()
    assert errors.code(api_client().post(REFRESH, {"refresh": str(token)}), 401) == "password_changed"


def test_refresh_twice_is_401_the_second_time(user: User, errors) -> None:
    token = str(RefreshToken.for_user(user))
    pair = api_client().post(REFRESH, {"refresh": token}).json()
    assert errors.code(api_client().post(REFRESH, {"refresh": token}), 401) == "token_not_valid"
    assert api_client().post(REFRESH, {"refresh": pair["refresh"]}).status_code == 200
    assert me_with(pair["access"]) == 200


def test_blacklisted_token_can_not_be_refreshed(user: User, errors) -> None:
    token = str(RefreshToken.for_user(user))
    assert api_client().post(BLACKLIST, {"refresh": token}).status_code == 200
    assert errors.code(api_client().post(REFRESH, {"refresh": token}), 401) == "token_not_valid"


def test_verify_of_garbage_is_401(errors) -> None:
    assert errors.code(api_client().post(VERIFY, {"token": "garbage"}), 401) == "token_not_valid"


def test_verify_of_a_good_token_is_200(user: User) -> None:
    response = api_client().post(VERIFY, {"token": str(AccessToken.for_user(user))})
    assert (response.status_code, response.json()) == (200, {})
