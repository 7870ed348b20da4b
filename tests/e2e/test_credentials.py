"""What somebody came in with ends, and so does the socket: at once, or within the lease if news is lost."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import jwt
import pytest

from tests.e2e.conftest import LEASE_S, MARGIN_S
from tests.support.api import Person
from tests.support.identity_provider import running_identity_provider
from tests.support.redis import RedisServer
from tests.support.server import environment
from tests.support.site import Site

APPLIES_WITHIN_S = 1.0
NEW_PASSWORD = "another horse and its battery"
_numbers = itertools.count(1)

DEACTIVATE = """
from accounts.models import User
from accounts.services.users import deactivate_user
deactivate_user(user=User.objects.get(email="{email}"), actor=None)
"""


async def sign_out(site: Site, person: Person, room: str, query: str) -> None:
    person.sign_out()


async def change_password(site: Site, person: Person, room: str, query: str) -> None:
    person.change_password(NEW_PASSWORD)


async def use_ticket_again(site: Site, person: Person, room: str, query: str) -> None:
    """On the other process than that of the first use."""
    second = await site.open_raw(room, query=query)
    assert (await second.wait_close())["code"] == 4401


async def deactivate(site: Site, person: Person, room: str, query: str) -> None:
    site.server().run_command("shell", "-c", DEACTIVATE.format(email=person.email))


TOLD = [(sign_out, 4401), (change_password, 4401), (use_ticket_again, 4401)]
ALL = [*TOLD, (deactivate, 4403)]
End = Callable[[Site, Person, str, str], object]


async def end_and_wait(
    site: Site, end: End, code: int, *, within_s: float, lose: Callable[[], object]
) -> None:
    """Let two people into a room on the second process, end what one came in with, and see them go."""
    stays, goes = (Person.register(site.server().url, f"{name}{next(_numbers)}") for name in ("eve", "max"))
    room = stays.create_room()
    stays.share(room, goes, "editor")
    query = goes.ticket(room)
    site.server().secrets.add(query.removeprefix("?ticket="))
    other = await site.join(stays, room, process=1)
    if end is use_ticket_again:
        socket = await site.open_raw(room, query=query, process=1)
    else:
        socket = await site.open_raw(room, token=goes.access, process=1)
    await socket.wait_frame("0000")

    lose()
    await end(site, goes, room, query)  # type: ignore[misc]
    ended_at = time.monotonic()
    closed = await socket.wait_close()
    assert time.monotonic() - ended_at < within_s
    assert closed["code"] == code
    assert closed["reason"]
    assert any(event.get("hex", "").startswith("0200") for event in await socket.events()), "told why"
    assert (await other.state())["connected"]


def nothing() -> None:
    """Every message arrives."""


@pytest.mark.parametrize(("end", "code"), TOLD)
async def test_socket_closes_at_once_when_what_it_came_in_with_ends(site: Site, end: End, code: int) -> None:
    await end_and_wait(site, end, code, within_s=APPLIES_WITHIN_S, lose=nothing)


async def test_socket_of_a_deactivated_user_closes_at_once(two_processes: Site) -> None:
    await end_and_wait(two_processes, deactivate, 4403, within_s=APPLIES_WITHIN_S, lose=nothing)


@pytest.mark.parametrize(("end", "code"), ALL)
async def test_socket_closes_within_the_lease_when_nobody_was_told(
    two_processes: Site, own_redis: RedisServer, end: End, code: int
) -> None:
    within_s = LEASE_S + MARGIN_S
    await end_and_wait(two_processes, end, code, within_s=within_s, lose=own_redis.kill)


async def test_ticket_lets_a_provider_in_once_and_is_nowhere_in_the_log(site: Site) -> None:
    alice = site.person("alice")
    room = alice.create_room()
    ticket = alice.ticket(room).removeprefix("?ticket=")
    site.server().secrets.add(ticket)
    provider = await site.open(alice, room, ticket=ticket)
    await provider.wait_synced()
    await provider.edit(("text.insert", 0, "by ticket"))
    other = await site.join(alice, room, process=1)
    await other.wait_content("text", "by ticket")


def longer_lived(token: str) -> str:
    """The same token with an hour more, as the server itself would have signed it."""
    claims = jwt.decode(token, options={"verify_signature": False})
    key = environment()["SECRET_KEY"]
    return jwt.encode({**claims, "exp": claims["exp"] + 3600}, key, algorithm="HS256")


async def test_newer_token_keeps_a_socket_open_beyond_the_end_of_the_first(
    new_site: Callable[..., Site],
) -> None:
    site = new_site(ACCESS_TOKEN_LIFETIME_S="5")
    alice = site.person("alice")
    room = alice.create_room()
    alice.sign_in()
    renewed, control = await site.join(alice, room), await site.join(alice, room)
    alice.access = longer_lived(alice.access)
    await renewed.send_token(alice.access)
    await control.wait_closed(4401)
    other = await site.join(alice, room)
    await renewed.edit(("text.insert", 0, "still here"))
    await other.wait_equal(renewed)
    state = await renewed.state()
    assert (state["connected"], state["connections"]) == (True, 1)
    assert "error" not in {event["type"] for event in await renewed.events()}, "it understood every frame"

    alice.sign_out()
    await renewed.wait_closed(4401)


async def test_person_of_an_identity_provider_is_in_over_http_and_websocket(
    new_site: Callable[..., Site],
) -> None:
    with running_identity_provider() as provider:
        site = new_site(**provider.variables)
        alice, ada = site.person("alice"), Person(site.server().url, "ada@example.com", "Ada")
        ada.access = provider.token("ec")
        ada.id = ada.request("GET", "users/me/")["id"]
        room = ada.create_room()
        ada.share(room, alice, "viewer")
        one, two = await site.join(ada, room), await site.join(alice, room)
        await one.edit(("text.insert", 0, "from elsewhere"))
        await two.wait_equal(one)
        ada.access = provider.token(aud="another")
        refused = await site.open(ada, room)
        await refused.wait_closed(4401)
