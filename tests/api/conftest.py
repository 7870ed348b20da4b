"""What the tests of the API share: somebody who is signed in, and how to read an error."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.response import Response
from rest_framework.test import APIClient

from accounts.models import User
from tests.factories import api_client, make_user


@pytest.fixture
def user(db: None) -> User:
    return make_user("Ada", email="ada@example.com")


@pytest.fixture
def api(user: User) -> APIClient:
    """A client signed in as `user`."""
    return api_client(user)


class Errors:
    """Reads error envelopes; each method fails the test if the response is no such error."""

    def code(self, response: Response, status: int) -> str:
        return str(self._body(response, status)["code"])

    def fields(self, response: Response) -> dict[str, list[str]]:
        """The fields of a validation error."""
        body = self._body(response, 400)
        assert body["code"] == "invalid"
        return dict(body["fields"])

    def _body(self, response: Response, status: int) -> dict[str, Any]:
        assert response.status_code == status, response.content
        assert response["Content-Type"] == "application/json"
        body = response.json()
        assert set(body) in ({"code", "detail"}, {"code", "detail", "fields"})
        assert isinstance(body["detail"], str)
        assert body["detail"]
        return dict(body)


@pytest.fixture
def errors() -> Errors:
    return Errors()
