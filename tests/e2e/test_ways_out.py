"""Every way out of a room, while the one who goes keeps typing: by message at once, by lease if it is lost.

Each cause is a generator: up to its `yield` it gives somebody access, after it it takes that away. All have
a person and a room of their own in one installation, and their sockets are open at the same time, on another
process than the one that takes the requests. A cause that ends by itself yields the moment.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import jwt
import pytest
from websockets.sync.client import connect

from tests.support.api import Person
from tests.support.databases import PostgresDatabases
from tests.support.redis import RedisServer, running_redis
from tests.support.server import environment
from tests.support.site import Site
from tests.support.typist import Typist, numbers_in

LEASE_S = 3
#: Confirmed by the timer so seldom that it closes nothing in time: whoever goes was told.
LONG_LEASE_S = 120
APPLIES_WITHIN_S = 1.0
#: A lease is renewed by a timer: what is allowed beside the lease itself on a busy machine.
MARGIN_S = 1.5
#: What ends by itself lives long enough for all sockets to be opened.
LIVES_S = 6.0
NEW_PASSWORD = "another horse and its battery"
DEACTIVATE = """
from accounts.models import User
from accounts.services.users import deactivate_user
deactivate_user(user=User.objects.get(email="{email}"), actor=None)
"""

#: What becomes of a socket, beside being closed with a code.
LOWERED = "lowered"
STAYS = "stays"


class Scene:
    """Somebody, a room, and the organization it is in; `boss` owns both."""

    def __init__(self, site: Site, boss: Person, organization: str, person: Person) -> None:
        self.site, self.boss, self.organization, self.person = site, boss, organization, person
        self.room = boss.create_room(organization=organization)
        #: How they come in, as the query of the socket's URL.
        self.query = ""

    def in_room(self, method: str, path: str = "", **body: Any) -> Any:
        return self.boss.request(method, f"rooms/{self.room}/{path}", json=body or None)

    def in_organization(self, method: str, path: str = "", **body: Any) -> Any:
        return self.boss.request(method, f"organizations/{self.organization}/{path}", json=body or None)

    def share(self, role: str = "editor") -> str:
        """The path of a membership in the room."""
        return f"members/{self.boss.share(self.room, self.person, role)}/"

    def enlist(self, role: str = "member") -> str:
        """The path of a membership in the organization."""
        return f"members/{self.boss.add_to_organization(self.organization, self.person, role)}/"

    def group(self) -> Group:
        """A group with the person and another in it, which edits the room."""
        self.enlist("guest")
        group = self.in_organization("POST", "groups/", name=self.person.name)
        path = f"groups/{group['id']}/"
        members = [
            self.in_organization("POST", f"{path}members/", user=who.id) for who in (self.boss, self.person)
        ]
        in_room = self.in_room("POST", "members/", group=group["id"], role="editor")
        return Group(path, [f"{path}members/{each['id']}/" for each in members], f"members/{in_room['id']}/")

    def link(self, **fields: Any) -> str:
        """The path of a link that the person has redeemed."""
        link = self.in_room("POST", "share-links/", role="editor", **fields)
        self.person.request("POST", "share-links/redeem/", json={"token": link["token"]})
        return f"share-links/{link['id']}/"


class Group(NamedTuple):
    path: str
    members: list[str]
    in_room: str


Steps = Generator[float | None, None, None]
Cause = Callable[[Scene], Steps]
CAUSES: dict[Cause, int | str] = {}


def ends(outcome: int | str) -> Callable[[Cause], Cause]:
    """Put a cause into the table."""

    def add(cause: Cause) -> Cause:
        CAUSES[cause] = outcome
        return cause

    return add


# -- the room


@ends(4403)
def room_member_removed(scene: Scene) -> Steps:
    member = scene.share()
    yield None
    scene.in_room("DELETE", member)


@ends(LOWERED)
def room_role_lowered(scene: Scene) -> Steps:
    member = scene.share()
    yield None
    scene.in_room("PATCH", member, role="viewer")


@ends(STAYS)
def invitation_of_somebody_else_removed(scene: Scene) -> Steps:
    scene.share()
    address = f"nobody.{scene.person.email}"
    invitation = scene.in_room("POST", "members/", email=address, role="editor")
    yield None
    scene.in_room("DELETE", f"members/{invitation['id']}/")


@ends(4403)
def room_trashed(scene: Scene) -> Steps:
    scene.share()
    yield None
    scene.in_room("DELETE")


@ends(STAYS)
def room_transferred_away(scene: Scene) -> Steps:
    scene.share("owner")
    yield None
    scene.person.request("POST", f"rooms/{scene.room}/transfer/", json={"user": scene.boss.id})


@ends(4403)
def room_left(scene: Scene) -> Steps:
    scene.share()
    yield None
    scene.person.request("POST", f"rooms/{scene.room}/leave/")


@ends(4403)
def kicked(scene: Scene) -> Steps:
    scene.share()
    yield None
    connections: list[dict[str, Any]] = []
    while not connections:  # the list is written a moment behind the sockets
        connections = scene.in_room("GET", "connections/")["results"]
    scene.in_room("DELETE", f"connections/{connections[0]['id']}/")


# -- groups


@ends(4403)
def group_left(scene: Scene) -> Steps:
    group = scene.group()
    yield None
    scene.in_organization("DELETE", group.members[1])


@ends(4403)
def group_emptied(scene: Scene) -> Steps:
    group = scene.group()
    yield None
    for member in group.members:
        scene.in_organization("DELETE", member)


@ends(4403)
def group_deleted(scene: Scene) -> Steps:
    group = scene.group()
    yield None
    scene.in_organization("DELETE", group.path)


@ends(LOWERED)
def role_of_group_lowered(scene: Scene) -> Steps:
    group = scene.group()
    yield None
    scene.in_room("PATCH", group.in_room, role="viewer")


@ends(LOWERED)
def group_left_by_viewer(scene: Scene) -> Steps:
    group = scene.group()
    scene.share("viewer")
    yield None
    scene.in_organization("DELETE", group.members[1])


@ends(4403)
def group_removed_from_room(scene: Scene) -> Steps:
    group = scene.group()
    yield None
    scene.in_room("DELETE", group.in_room)


# -- the organization


@ends(4403)
def organization_wide_role_removed(scene: Scene) -> Steps:
    scene.enlist()
    scene.in_room("PATCH", organization_role="editor")
    yield None
    scene.in_room("PATCH", organization_role=None)


@ends(LOWERED)
def organization_wide_role_lowered(scene: Scene) -> Steps:
    scene.enlist()
    scene.in_room("PATCH", organization_role="editor")
    yield None
    scene.in_room("PATCH", organization_role="viewer")


@ends(4403)
def admin_made_member(scene: Scene) -> Steps:
    member = scene.enlist("admin")
    yield None
    scene.in_organization("PATCH", member, role="member")


@ends(LOWERED)
def admin_made_member_who_may_view(scene: Scene) -> Steps:
    member = scene.enlist("admin")
    scene.in_room("PATCH", organization_role="viewer")
    yield None
    scene.in_organization("PATCH", member, role="member")


@ends(4403)
def member_made_guest(scene: Scene) -> Steps:
    member = scene.enlist()
    scene.in_room("PATCH", organization_role="editor")
    yield None
    scene.in_organization("PATCH", member, role="guest")


@ends(4403)
def organization_member_removed(scene: Scene) -> Steps:
    member = scene.enlist()
    scene.in_room("PATCH", organization_role="editor")
    yield None
    scene.in_organization("DELETE", member)


@ends(4403)
def group_member_removed_from_organization(scene: Scene) -> Steps:
    scene.group()
    members = scene.in_organization("GET", "members/?page_size=200")["results"]
    [member] = [each["id"] for each in members if each["user"]["id"] == scene.person.id]
    yield None
    scene.in_organization("DELETE", f"members/{member}/")


@ends(4403)
def organization_deleted(scene: Scene) -> Steps:
    scene.organization = scene.boss.create_organization()
    scene.room = scene.boss.create_room(organization=scene.organization)
    scene.share()
    yield None
    scene.in_organization("DELETE")


# -- share links


@ends(LOWERED)
def role_of_link_lowered(scene: Scene) -> Steps:
    link = scene.link()
    yield None
    scene.in_room("PATCH", link, role="viewer")


@ends(4403)
def link_deleted(scene: Scene) -> Steps:
    link = scene.link()
    yield None
    scene.in_room("DELETE", link)


@ends(LOWERED)
def link_of_viewer_deleted(scene: Scene) -> Steps:
    scene.share("viewer")
    link = scene.link()
    yield None
    scene.in_room("DELETE", link)


@ends(4403)
def link_made_to_expire_sooner(scene: Scene) -> Steps:
    """In the past it can't be put: that is what deleting is for."""
    link = scene.link(expires_at=in_future(3600))
    yield None
    scene.in_room("PATCH", link, expires_at=in_future(0.2))


@ends(4403)
def link_expired_by_itself(scene: Scene) -> Steps:
    ends_at = time.monotonic() + LIVES_S
    scene.link(expires_at=in_future(LIVES_S))
    yield ends_at


# -- the person, and what they came in with


@ends(4403)
def user_deactivated(scene: Scene) -> Steps:
    scene.share()
    yield None
    scene.site.server().run_command("shell", "-c", DEACTIVATE.format(email=scene.person.email))


@ends(4403)
def user_erased(scene: Scene) -> Steps:
    scene.share()
    yield None
    scene.person.request("DELETE", "users/me/")


@ends(4401)
def password_changed(scene: Scene) -> Steps:
    scene.share()
    yield None
    scene.person.change_password(NEW_PASSWORD)


@ends(4401)
def session_ended(scene: Scene) -> Steps:
    scene.share()
    yield None
    scene.person.sign_out()


@ends(4401)
def session_of_ticket_ended(scene: Scene) -> Steps:
    scene.share()
    scene.query = scene.person.ticket(scene.room)
    yield None
    scene.person.sign_out()


@ends(4401)
def ticket_used_twice(scene: Scene) -> Steps:
    scene.share()
    scene.query = scene.person.ticket(scene.room)
    yield None
    with connect(f"{scene.site.server().socket_url}/{scene.room}{scene.query}", proxy=None) as second:
        assert second.recv().startswith(b"\x02\x00")


@ends(4401)
def token_expired(scene: Scene) -> Steps:
    scene.share()
    claims = jwt.decode(scene.person.access, options={"verify_signature": False})
    claims["exp"] = int(time.time() + LIVES_S)
    token = jwt.encode(claims, environment()["SECRET_KEY"])
    scene.query = f"?token={token}"
    yield time.monotonic() + claims["exp"] - time.time()


def in_future(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


# -- the run


class Way:
    """One cause on its way: who types, and when they were told."""

    def __init__(self, cause: Cause, scene: Scene, steps: Steps) -> None:
        self.name, self.outcome = cause.__name__, CAUSES[cause]
        self.scene, self.steps = scene, steps
        self.ends_at = next(steps)
        self.taken_at = 0.0
        self.typist: Typist

    async def open(self) -> None:
        server = self.scene.site.server(1)
        query = self.scene.query or f"?token={self.scene.person.access}"
        server.secrets.add(query.partition("=")[2])
        self.typist = await Typist.begin(f"{server.socket_url}/{self.scene.room}{query}&echo=1")

    async def take_away(self) -> None:
        """Return when the answer is there."""
        if self.ends_at is None:
            await asyncio.to_thread(next, self.steps, None)
        self.taken_at = self.ends_at or time.monotonic()

    async def wait(self, within_s: float) -> None:
        """Wait until they are told; who stays, until they have typed on for as long."""
        deadline = self.taken_at + within_s
        with suppress(TimeoutError):
            await self.typist.wait_until(lambda: self.typist.is_told, deadline - time.monotonic())
        if self.outcome == STAYS:
            await self.typist.wait_until(lambda: self._last_acknowledged_at() > self.taken_at)

    def _last_acknowledged_at(self) -> float:
        return self.typist.typed_at[self.typist.acknowledged]

    @property
    def seen(self) -> int | str:
        """What became of the socket."""
        if self.typist.closed_at is not None:
            return self.typist.code or "closed"
        return STAYS if self.typist.denied_at is None else LOWERED

    @property
    def took_s(self) -> float:
        told_at = self.typist.closed_at if isinstance(self.outcome, int) else self.typist.denied_at
        return 0.0 if told_at is None else max(0.0, told_at - self.taken_at)

    async def last_number_at(self) -> float:
        """When the last number was typed that the room holds, as another process finds it in the log."""
        server = self.scene.site.server(0)
        url = f"{server.socket_url}/{self.scene.room}?token={self.scene.boss.access}"
        return self.typist.typed_at[max(await numbers_in(url))]


async def arranged(site: Site) -> list[Way]:
    """All causes, each with somebody who types."""
    boss = site.person("boss")
    organization = boss.create_organization()
    lanes = asyncio.Semaphore(4)

    def make(cause: Cause) -> Way:
        person = Person.register(site.server().url, cause.__name__)
        scene = Scene(site, boss, organization, person)
        return Way(cause, scene, cause(scene))

    async def arrange(cause: Cause) -> Way:
        async with lanes:
            way = await asyncio.to_thread(make, cause)
            await way.open()
            return way

    by_themselves = [link_expired_by_itself, token_expired]
    ways = await asyncio.gather(*(arrange(cause) for cause in CAUSES if cause not in by_themselves))
    return [*ways, *[await arrange(cause) for cause in by_themselves]]


async def take_all_away(ways: list[Way]) -> None:
    """One after the other; beside them the one that is no request, and takes seconds to begin."""
    slow = [way for way in ways if way.name == user_deactivated.__name__]

    async def one_by_one(ways: list[Way]) -> None:
        for way in ways:
            await way.take_away()

    await asyncio.gather(one_by_one(slow), one_by_one([way for way in ways if way not in slow]))


async def faults_of(way: Way, within_s: float) -> str:
    """What is not as the table says; nothing if all is."""
    if way.seen != way.outcome:
        return f"{way.seen}, expected {way.outcome}"
    if way.took_s > within_s:
        return f"after {way.took_s:.2f} s"
    if way.name == organization_deleted.__name__:
        return ""  # and the document with it
    if way.name == room_trashed.__name__:
        await asyncio.to_thread(way.scene.in_room, "POST", "restore/")
    last_at = await way.last_number_at()
    if way.outcome == STAYS:
        return "" if last_at > way.taken_at else "nothing was taken in any more"
    late_s = last_at - way.taken_at
    return f"what was typed {late_s:.2f} s later was taken in" if late_s > within_s else ""


def late_s(ways: list[Way]) -> float:
    """What everything may take longer by, because the machine is busy."""
    return max(way.typist.late_s for way in ways)


def report(title: str, ways: list[Way]) -> str:
    took = sorted((way.took_s, way.name) for way in ways if way.outcome != STAYS)
    centiles = statistics.quantiles([seconds for seconds, _ in took], n=100, method="inclusive")
    lines = [f"{title}: {len(took)} ways out, p50 {centiles[49]:.3f} s, p99 {centiles[98]:.3f} s"]
    lines[0] += f" (a timer of this machine came up to {late_s(ways):.3f} s late); the slowest:"
    lines += [f"  {seconds:.3f} s  {name}" for seconds, name in took[-3:]]
    return "\n" + "\n".join(lines) + "\n"


async def run(site: Site, title: str, *, within_s: float, lose: Callable[[], object]) -> str:
    """Everybody is in and types; then all of it is taken away."""
    ways = await arranged(site)
    try:
        lose()
        await take_all_away(ways)
        await asyncio.gather(*(way.wait(within_s + late_s(ways)) for way in ways))
        allowed_s = within_s + late_s(ways)
        found = {way.name: await faults_of(way, allowed_s) for way in ways}
    finally:
        for way in ways:
            await way.typist.end()
    text = report(title, ways)
    faults = {name: fault for name, fault in found.items() if fault}
    assert not faults, text
    return text


@pytest.fixture
def own_redis(redis: RedisServer) -> Iterator[RedisServer]:
    """A Redis that this test may break; `redis` is asked for only to skip where there is none."""
    with running_redis() as server:
        yield server


@pytest.fixture
def two_processes(
    new_site: Callable[..., Site], postgres_databases: PostgresDatabases, own_redis: RedisServer
) -> Callable[[int], Site]:
    """Makes an installation with this lease."""
    return lambda lease_s: new_site(
        processes=2,
        DATABASE_URL=postgres_databases.new_url(),
        REDIS_URL=own_redis.url,
        COLLAB_ACCESS_LEASE_S=str(lease_s),
        DJANGO_SETTINGS_MODULE="tests.support.settings_fast_passwords",
    )


async def test_every_way_out_applies_at_once(
    two_processes: Callable[[int], Site], capsys: pytest.CaptureFixture[str]
) -> None:
    text = await run(two_processes(LONG_LEASE_S), "told", within_s=APPLIES_WITHIN_S, lose=lambda: None)
    with capsys.disabled():
        sys.stdout.write(text)


async def test_every_way_out_applies_within_the_lease_when_nobody_is_told(
    two_processes: Callable[[int], Site], own_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    text = await run(two_processes(LEASE_S), "not told", within_s=LEASE_S + MARGIN_S, lose=own_redis.kill)
    with capsys.disabled():
        sys.stdout.write(text)
