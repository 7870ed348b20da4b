"""What an operator takes away in the admin site ends sockets that are open, whichever process they are on."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.support.api import PASSWORD, Person
from tests.support.site import Site

APPLIES_WITHIN_S = 1.0
PROMOTE = (
    "from accounts.models import User; "
    "User.objects.filter(email={email!r}).update(is_staff=True, is_superuser=True)"
)


class Operator:
    """Someone who is signed in to the admin site; each method is a form that is sent."""

    def __init__(self, url: str, person: Person) -> None:
        self._client = httpx.Client(base_url=f"{url}/admin/", follow_redirects=True, timeout=30)
        self.post("login/", username=person.email, password=PASSWORD, next="/admin/")

    def post(self, path: str, **form: str) -> None:
        """Send a form as its page has it, with the token that is in the page."""
        page = self._client.get(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert token, f"{path}: {page.status_code}"
        answer = self._client.post(path, data={"csrfmiddlewaretoken": token[1], **form})
        assert answer.is_success, f"{path}: {answer.status_code}"
        assert "errornote" not in answer.text, answer.text

    def operate(self, model: str, action: str, row: str) -> None:
        self.post(f"{model}/", action=action, _selected_action=row, index="0")

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def operator(site: Site) -> Iterator[Operator]:
    person = site.person("operator")
    site.server().run_command("shell", "-c", PROMOTE.format(email=person.email))
    operator = Operator(site.server().url, person)
    yield operator
    operator.close()


def deactivate_in_form(operator: Operator, person: Person) -> None:
    operator.post(f"accounts/user/{person.id}/change/", email=person.email, name=person.name)


def set_password(operator: Operator, person: Person) -> None:
    passwords = {"password1": f"{PASSWORD}-2", "password2": f"{PASSWORD}-2"}
    operator.post(f"accounts/user/{person.id}/password/", usable_password="true", **passwords)


def take_password(operator: Operator, person: Person) -> None:
    form = {"usable_password": "false", "unset-password": "yes"}
    operator.post(f"accounts/user/{person.id}/password/", **form)


def end_sessions(operator: Operator, person: Person) -> None:
    operator.operate("accounts/user", "end_sessions", person.id)


@pytest.mark.parametrize(
    ("take_away", "code"),
    [(deactivate_in_form, 4403), (set_password, 4401), (take_password, 4401), (end_sessions, 4401)],
)
async def test_user_is_closed_at_once_and_does_not_come_back(
    site: Site, operator: Operator, take_away: Callable[[Operator, Person], None], code: int
) -> None:
    alice = site.person("alice")
    bob = Person.register(site.server().url, "bob")
    room = alice.create_room()
    alice.share(room, bob, "editor")
    owner, theirs = await site.join(alice, room), await site.join(bob, room, process=1)

    await asyncio.to_thread(take_away, operator, bob)
    taken_at = time.monotonic()
    await theirs.wait_event("closed", code=code)
    assert time.monotonic() - taken_at < APPLIES_WITHIN_S
    late = await site.open(bob, room)
    assert (await late.wait_event("closed"))["code"] == 4401
    assert (await owner.state())["connected"]


async def test_connection_is_kicked(site: Site, operator: Operator) -> None:
    alice = site.person("alice")
    room = alice.create_room()
    client = await site.join(alice, room, process=1)
    while not (rows := alice.request("GET", f"rooms/{room}/connections/")["results"]):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await asyncio.to_thread(operator.operate, "collab/liveconnection", "kick", rows[0]["id"])
    kicked_at = time.monotonic()
    await client.wait_event("closed", code=4403)
    assert time.monotonic() - kicked_at < APPLIES_WITHIN_S
