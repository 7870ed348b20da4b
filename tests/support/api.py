"""A small REST client: what a front end asks for before and beside the socket."""

from __future__ import annotations

import itertools
from typing import Any, Self

import httpx

PASSWORD = "correct-horse-battery-staple"
_numbers = itertools.count(1)
#: Made once, which takes longer than a request; keeps no connection, because servers come and go.
_client = httpx.Client(timeout=30, limits=httpx.Limits(max_keepalive_connections=0))


class ApiError(AssertionError):
    """An answer other than the expected one; the message is request, status and body."""

    def __init__(self, response: httpx.Response) -> None:
        request = response.request
        super().__init__(
            f"{request.method} {request.url.path}: {response.status_code} {response.text[:2000]}"
        )
        self.status = response.status_code


class Person:
    """Someone who is signed in; each method is one request that must succeed."""

    def __init__(self, base_url: str, email: str, name: str) -> None:
        self.base_url = base_url
        self.email = email
        self.name = name
        self.id = ""
        self.access = ""
        self.refresh = ""

    @classmethod
    def register(cls, base_url: str, name: str) -> Self:
        """A new account with an organization of its own, signed in."""
        person = cls(base_url, f"{name}-{next(_numbers)}@example.com".lower(), name)
        account = {"email": person.email, "password": PASSWORD, "name": name}
        person.id = person.request("POST", "auth/register/", json=account)["id"]
        person.sign_in()
        return person

    def sign_in(self) -> None:
        """New tokens by e-mail address and password."""
        self.access = ""
        tokens = self.request("POST", "token/", json={"email": self.email, "password": PASSWORD})
        self.access, self.refresh = tokens["access"], tokens["refresh"]

    def sign_out(self) -> None:
        """End the session of these tokens."""
        self.request("POST", "token/blacklist/", json={"refresh": self.refresh})

    def change_password(self, new: str) -> None:
        self.request("POST", "users/me/password/", json={"old_password": PASSWORD, "new_password": new})

    def ticket(self, room: str) -> str:
        """The query of a socket's URL, with a new ticket."""
        return "?ticket=" + str(self.request("POST", f"rooms/{room}/ticket/")["ticket"])

    def request(self, method: str, path: str, *, json: Any = None) -> Any:
        """One request under `/api/v1/`.

        Raises:
            ApiError: the answer is not a success.
        """
        headers = {"Authorization": f"Bearer {self.access}"} if self.access else {}
        response = _client.request(method, f"{self.base_url}/api/v1/{path}", json=json, headers=headers)
        if not response.is_success:
            raise ApiError(response)
        return response.json() if response.content else None

    def organization(self) -> str:
        """The id of the organization that registration made."""
        return str(self.request("GET", "organizations/")["results"][0]["id"])

    def create_organization(self, name: str = "Team") -> str:
        return str(self.request("POST", "organizations/", json={"name": name})["id"])

    def add_to_organization(self, organization: str, other: Person, role: str = "member") -> str:
        """The id of the new membership."""
        body = {"email": other.email, "role": role}
        return str(self.request("POST", f"organizations/{organization}/members/", json=body)["id"])

    def remove_from_organization(self, organization: str, member: str) -> None:
        self.request("DELETE", f"organizations/{organization}/members/{member}/")

    def create_room(self, name: str = "Room", *, organization: str | None = None) -> str:
        body = {"organization": organization or self.organization(), "name": name}
        return str(self.request("POST", "rooms/", json=body)["id"])

    def open_to_organization(self, room: str, role: str | None) -> None:
        """Give every member of the organization this role in the room."""
        self.request("PATCH", f"rooms/{room}/", json={"organization_role": role})

    def share(self, room: str, other: Person, role: str = "editor") -> str:
        """The id of the new membership."""
        return str(
            self.request("POST", f"rooms/{room}/members/", json={"email": other.email, "role": role})["id"]
        )

    def change_role(self, room: str, member: str, role: str) -> None:
        self.request("PATCH", f"rooms/{room}/members/{member}/", json={"role": role})

    def revoke(self, room: str, member: str) -> None:
        self.request("DELETE", f"rooms/{room}/members/{member}/")
