"""Who asks too often is told to wait, by user, by address and at the doors; nobody else is."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from tests.factories import api_client, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"user": "3/minute", "address": "4/minute", "register": "2/minute", "sign_in": "2/minute"}
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)


def sign_in(email: str, password: str, **extra: Any) -> Response:
    return APIClient().post("/api/v1/token/", {"email": email, "password": password}, "json", **extra)


def assert_throttled(response: Response) -> None:
    assert response.status_code == 429
    assert response.json()["code"] == "throttled"
    assert 0 < int(response["Retry-After"]) <= 60


def test_user_who_asks_too_often_waits_and_another_does_not() -> None:
    ada, ben = api_client(make_user()), api_client(make_user())
    assert [ada.get("/api/v1/users/me/").status_code for _ in range(3)] == [200] * 3
    assert_throttled(ada.get("/api/v1/users/me/"))
    assert ben.get("/api/v1/users/me/").status_code == 200


def test_address_without_a_user_that_asks_too_often_waits() -> None:
    client = APIClient()
    for _ in range(4):
        assert client.post("/api/v1/token/verify/", {"token": "x"}, "json").status_code == 401
    assert_throttled(client.post("/api/v1/token/verify/", {"token": "x"}, "json"))
    elsewhere = client.post("/api/v1/token/verify/", {"token": "x"}, "json", REMOTE_ADDR="192.0.2.7")
    assert elsewhere.status_code == 401


def test_registrations_from_one_address_are_few() -> None:
    client = APIClient()
    assert [client.post("/api/v1/auth/register/", {}, "json").status_code for _ in range(2)] == [400] * 2
    assert_throttled(client.post("/api/v1/auth/register/", {}, "json"))


def test_network_of_ipv6_counts_as_one_address() -> None:
    client = APIClient()
    for address in ("2001:db8::1", "2001:db8::2"):
        client.post("/api/v1/auth/register/", {}, "json", REMOTE_ADDR=address)
    assert_throttled(client.post("/api/v1/auth/register/", {}, "json", REMOTE_ADDR="2001:db8::3"))
    other = client.post("/api/v1/auth/register/", {}, "json", REMOTE_ADDR="2001:db8:0:1::3")
    assert other.status_code == 400


def test_sign_ins_that_fail_from_one_address_are_few() -> None:
    ada = make_user(password=PASSWORD)
    for email in ("one@example.com", "two@example.com"):
        assert sign_in(email, "wrong").status_code == 401
    assert_throttled(sign_in(ada.email, PASSWORD))
    assert sign_in(ada.email, PASSWORD, REMOTE_ADDR="192.0.2.7").status_code == 200


def test_sign_ins_that_fail_into_one_account_are_few_wherever_they_come_from() -> None:
    ada = make_user(password=PASSWORD)
    for address in ("192.0.2.1", "192.0.2.2"):
        assert sign_in(ada.email.upper(), "wrong", REMOTE_ADDR=address).status_code == 401
    assert_throttled(sign_in(ada.email, PASSWORD, REMOTE_ADDR="192.0.2.3"))


def test_sign_ins_that_succeed_are_as_many_as_one_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, "address", None)
    ada = make_user(password=PASSWORD)
    assert [sign_in(ada.email, PASSWORD).status_code for _ in range(5)] == [200] * 5
