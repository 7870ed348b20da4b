"""Leases: access that was taken away ends what is open, at once or by the end of the lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from collab.engine import leases as leases_module
from collab.engine.errors import ForbiddenError, UnauthenticatedError, UnavailableError
from collab.engine.leases import EXPIRED, REVOKED, UNCONFIRMED, LeaseKeeper
from collab.engine.limits import Limits
from collab.engine.ports import Grant
from collab.engine.protocol import (
    SyncStep1,
    create_permission_denied_message,
    create_update_message,
    decode_message,
)
from collab.engine.reception import READ_ONLY, receive
from collab.engine.room import LiveRoom
from tests.engine.builders import typed
from tests.engine.scripted import Client, FakeClock, NoReplication, ScriptedAccess, turns, until

LEASE_S = 15.0
DENIED = create_permission_denied_message(READ_ONLY)


class Scene:
    """A room, those who are in it, and who knows what they may do."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.access = ScriptedAccess()
        self.keeper = LeaseKeeper(self.access, LEASE_S, clock)
        self.replication = NoReplication()
        self.room = LiveRoom("room", self.replication, lambda message: None, Limits(), clock)
        self.clients: list[Client] = []
        self._writes: list[asyncio.Task[None]] = []

    def join(
        self, user_id: UUID, *, asked_at: float | None = None, expires_in_s: float | None = None
    ) -> Client:
        """Let a user in with the access it has."""
        grant = self.access.grant_of(user_id)
        assert grant is not None
        client = Client(self.clock, user_id=user_id, can_write=grant.can_write)
        self.clients.append(client)
        self.room.join(client.connection)
        self.keeper.hold(
            client.connection,
            self.room,
            user_id,
            grant,
            asked_at=self.clock() if asked_at is None else asked_at,
            expires_in_s=expires_in_s,
        )
        return client

    def write(self, client: Client, clock: int = 0) -> asyncio.Task[None]:
        """Let a client type; done when the write was taken in or refused."""
        frame = create_update_message(typed(7, "x", clock))
        self._writes.append(asyncio.create_task(receive(self.room, client.connection, frame)))
        return self._writes[-1]

    @property
    def written(self) -> int:
        return len(self.replication.recorded)

    async def end(self) -> None:
        self.access.is_available = True
        self.access.give_answers()
        for client in self.clients:
            self.keeper.release(client.connection)
        await turns()
        await asyncio.gather(*self._writes, *(client.end() for client in self.clients))


@pytest.fixture
async def scene(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(leases_module, "RETRY_S", 0.0)
    scene = Scene(clock)
    yield scene
    await scene.end()


@pytest.fixture
def anna(scene: Scene) -> UUID:
    user_id = uuid4()
    scene.access.allow(user_id, can_write=True)
    return user_id


async def test_revoked_access_closes_the_connection_with_a_denial(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    scene.access.revoke(anna)
    scene.keeper.changed(anna)
    await turns()
    assert client.frames[-1] == create_permission_denied_message(REVOKED)
    assert client.line.closed == (4403, REVOKED)
    assert scene.room.connections == {}


async def test_news_of_another_key_leaves_a_connection_alone(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    scene.access.revoke(anna)
    scene.keeper.changed(uuid4())
    await turns()
    assert scene.access.questions == 0
    assert client.line.closed is None


async def test_write_while_access_is_in_doubt_waits_and_is_dropped_if_it_was_revoked(
    scene: Scene, anna: UUID
) -> None:
    client = scene.join(anna)
    scene.access.hold_answers()
    scene.access.revoke(anna)
    scene.keeper.changed(anna)
    write = scene.write(client)
    await turns()
    assert not write.done()
    scene.access.give_answers()
    await write
    assert scene.written == 0


async def test_write_while_access_is_in_doubt_is_denied_if_it_was_lowered(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    scene.access.hold_answers()
    scene.access.allow(anna, can_write=False)
    scene.keeper.changed(anna)
    write = scene.write(client)
    await turns()
    scene.access.give_answers()
    await write
    await turns()
    assert scene.written == 0
    assert client.frames[-1] == DENIED
    assert client.line.closed is None


async def test_write_while_access_is_in_doubt_is_taken_in_if_it_still_holds(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    scene.access.hold_answers()
    scene.access.allow(anna, can_write=True)
    scene.keeper.changed(anna)
    write = scene.write(client)
    await turns()
    assert scene.written == 0
    scene.access.give_answers()
    await write
    assert scene.written == 1


async def test_raised_access_lets_writes_in_and_asks_for_what_was_denied(scene: Scene, anna: UUID) -> None:
    scene.access.allow(anna, can_write=False)
    client = scene.join(anna)
    await scene.write(client)
    await turns()
    assert client.frames[-1] == DENIED
    scene.access.allow(anna, can_write=True)
    scene.keeper.changed(anna)
    await turns()
    assert isinstance(decode_message(client.frames[-1]), SyncStep1)
    await scene.write(client)
    assert scene.written == 1


async def test_news_while_the_question_is_under_way_asks_again(scene: Scene, anna: UUID) -> None:
    """The answer to the first question is older than the second change."""
    client = scene.join(anna)
    scene.access.hold_answers()
    scene.access.allow(anna, can_write=True)
    scene.keeper.changed(anna)
    await until(lambda: scene.access.questions == 1)
    scene.access.revoke(anna)
    scene.keeper.changed(anna)
    write = scene.write(client)
    scene.access.give_answers()
    await write
    await turns()
    assert scene.access.questions == 2
    assert scene.written == 0
    assert client.line.closed == (4403, REVOKED)


async def test_news_between_the_answer_and_the_write_that_waits_for_it_still_holds_the_write(
    scene: Scene, anna: UUID
) -> None:
    client = scene.join(anna)
    scene.access.hold_answers()
    scene.access.allow(anna, can_write=True)
    scene.keeper.changed(anna)
    write = scene.write(client)
    await turns()
    confirmation = client.connection.confirmation
    assert confirmation is not None
    scene.access.give_answers()
    await until(confirmation.is_set)  # the write will go on in the next turn
    scene.access.hold_answers()
    scene.access.revoke(anna)
    scene.keeper.changed(anna)
    await turns()
    assert scene.written == 0
    scene.access.give_answers()
    await write
    assert scene.written == 0


async def test_news_between_asking_and_holding_puts_the_lease_in_doubt_at_once(
    scene: Scene, anna: UUID
) -> None:
    asked_at = scene.clock()
    grant_epochs = scene.access.grant_of(anna)
    scene.clock.advance(0.1)
    scene.keeper.changed(anna)
    assert grant_epochs is not None
    scene.clock.advance(0.1)
    client = scene.join(anna, asked_at=asked_at)
    scene.access.revoke(anna)
    assert client.connection.confirmation is not None
    await turns()
    assert client.line.closed == (4403, REVOKED)


async def test_news_before_asking_does_not_put_the_lease_in_doubt(scene: Scene, anna: UUID) -> None:
    scene.keeper.changed(anna)
    scene.clock.advance(0.1)
    client = scene.join(anna)
    assert client.connection.confirmation is None


async def test_access_that_was_asked_for_long_ago_is_in_doubt_at_once(scene: Scene, anna: UUID) -> None:
    """The room took longer to open than news is remembered."""
    asked_at = scene.clock()
    scene.clock.advance(1)
    scene.keeper.changed(anna)
    scene.clock.advance(LEASE_S)
    await scene.keeper.sweep()
    client = scene.join(anna, asked_at=asked_at)
    assert client.connection.confirmation is not None


async def test_lost_news_is_found_by_the_sweep(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    scene.access.revoke(anna)
    scene.clock.advance(LEASE_S / 3)
    await scene.keeper.sweep()
    await turns()
    assert client.line.closed == (4403, REVOKED)


async def test_sweep_that_finds_nothing_changed_asks_nothing(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    for _ in range(10):
        scene.clock.advance(LEASE_S / 3)
        await scene.keeper.sweep()
    assert scene.access.questions == 0
    assert client.line.closed is None


async def test_lease_that_no_sweep_can_confirm_is_closed_by_its_end(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    scene.access.is_available = False
    opened_at = scene.clock()
    while scene.room.connections:
        scene.clock.advance(LEASE_S / 3)
        await scene.keeper.sweep()
        await turns()
    assert client.line.closed == (1013, UNCONFIRMED)
    assert scene.clock() - opened_at <= LEASE_S


async def test_write_in_doubt_while_the_source_is_unavailable_never_passes(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    scene.access.is_available = False
    scene.keeper.changed(anna)
    write = scene.write(client)
    await turns(100)
    assert scene.written == 0
    assert not write.done()
    while scene.room.connections:
        scene.clock.advance(LEASE_S / 3)
        await scene.keeper.sweep()
    await write
    assert scene.written == 0
    assert client.line.closed is None or client.line.closed[0] == 1013


async def test_write_in_doubt_while_the_source_fails_in_an_unknown_way_never_passes(
    scene: Scene, anna: UUID
) -> None:
    client = scene.join(anna)
    scene.access.is_available = False
    scene.access.error = RuntimeError("unexpected")
    scene.keeper.changed(anna)
    scene.write(client)
    await turns(100)
    assert scene.written == 0
    scene.access.is_available = True
    scene.access.revoke(anna)
    await until(lambda: not scene.room.connections)
    assert scene.written == 0


async def test_source_that_answers_again_settles_the_doubt(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    scene.access.is_available = False
    scene.keeper.changed(anna)
    write = scene.write(client)
    await turns()
    scene.access.is_available = True
    await write
    assert scene.written == 1
    assert client.connection.confirmation is None


async def test_sweep_whose_answer_does_not_come_ends_in_time(
    scene: Scene, anna: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(keys: object) -> dict[UUID, int]:
        await asyncio.Event().wait()
        return {}

    client = scene.join(anna)
    monkeypatch.setattr(scene.access, "current_epochs", never)
    monkeypatch.setattr(LeaseKeeper, "sweep_interval_s", 0.0)
    scene.clock.advance(LEASE_S + 1)
    await scene.keeper.sweep()
    await turns()
    assert client.line.closed == (1013, UNCONFIRMED)


async def test_token_that_expires_closes_the_connection(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna, expires_in_s=0.0)
    await until(lambda: client.line.closed)
    assert client.line.closed == (4401, EXPIRED)
    assert client.frames[-1] == create_permission_denied_message(EXPIRED)


async def test_token_that_has_expired_already_closes_the_connection(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna, expires_in_s=-5.0)
    await until(lambda: client.line.closed)
    assert client.line.closed == (4401, EXPIRED)


async def test_release_ends_the_watch(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna, expires_in_s=0.0)
    scene.keeper.release(client.connection)
    scene.keeper.release(client.connection)
    scene.access.revoke(anna)
    scene.keeper.changed(anna)
    scene.clock.advance(10 * LEASE_S)
    await scene.keeper.sweep()
    await asyncio.sleep(0.001)
    assert client.line.closed is None
    assert scene.access.questions == 0


async def test_release_while_the_question_is_under_way_leaves_nothing_waiting(
    scene: Scene, anna: UUID
) -> None:
    client = scene.join(anna)
    scene.access.hold_answers()
    scene.keeper.changed(anna)
    write = scene.write(client)
    await turns()
    scene.keeper.release(client.connection)
    scene.room.close_connection(client.connection, UnavailableError("gone"))
    scene.access.give_answers()
    await write
    assert scene.written == 0


async def test_all_connections_of_a_key_are_asked_for_a_few_at_a_time(scene: Scene) -> None:
    users = [uuid4() for _ in range(30)]
    for user_id in users:
        scene.access.allow(user_id, can_write=True)
        scene.join(user_id)
    scene.access.hold_answers()
    for user_id in users:
        scene.access.revoke(user_id)
        scene.keeper.changed(user_id)
    await turns()
    assert scene.access.questions == leases_module.CONCURRENCY
    scene.access.give_answers()
    await until(lambda: not scene.room.connections)
    assert all(connection.connection.is_closed for connection in scene.clients)


async def test_frames_after_the_close_have_no_effect(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    scene.access.revoke(anna)
    scene.keeper.changed(anna)
    await until(lambda: client.connection.is_closed)
    await scene.write(client)
    await receive(scene.room, client.connection, b"\x01" + b"\x06\x01\x05\x00\x02{}")
    assert scene.written == 0
    assert scene.room.presence.awareness.entries() == []


# -- credentials


async def test_credential_that_no_longer_holds_closes_4401_with_a_denial(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    scene.access.denials[anna] = UnauthenticatedError("You were signed out.")
    scene.keeper.changed(anna)
    await until(lambda: client.line.closed)
    assert client.line.closed == (4401, "You were signed out.")
    assert client.frames[-1] == create_permission_denied_message("You were signed out.")


async def test_denial_with_its_own_words_closes_with_them(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    scene.access.denials[anna] = ForbiddenError("You were sent away.")
    scene.keeper.changed(anna)
    await until(lambda: client.line.closed)
    assert client.line.closed == (4403, "You were sent away.")


async def test_newer_credential_is_asked_with_and_keeps_the_connection_past_the_first_ones_end(
    scene: Scene, anna: UUID
) -> None:
    client, newer = scene.join(anna, expires_in_s=0.005), uuid4()
    scene.access.allow(newer, can_write=True)
    scene.keeper.replace_subject(client.connection, newer, 60.0)
    assert client.connection.confirmation is not None
    await asyncio.sleep(0.02)
    assert client.line.closed is None
    assert scene.access.questions == 1
    scene.access.revoke(newer)
    scene.keeper.changed(newer)
    await until(lambda: client.line.closed)
    assert client.line.closed == (4403, REVOKED)


async def test_newer_credential_that_ends_closes_the_connection(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna, expires_in_s=60.0)
    scene.keeper.replace_subject(client.connection, anna, 0.0)
    await until(lambda: client.line.closed)
    assert client.line.closed == (4401, EXPIRED)


async def test_newer_credential_without_access_closes_the_connection(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    scene.keeper.replace_subject(client.connection, uuid4(), 60.0)
    await until(lambda: client.line.closed)
    assert client.line.closed == (4403, REVOKED)


async def test_denial_of_a_credential_that_was_replaced_meanwhile_does_not_count(
    scene: Scene, anna: UUID
) -> None:
    client, newer = scene.join(anna), uuid4()
    scene.access.allow(newer, can_write=True)
    scene.access.denials[anna] = UnauthenticatedError("You were signed out.")
    scene.access.hold_answers()
    scene.keeper.changed(anna)
    await until(lambda: scene.access.questions == 1)
    scene.keeper.replace_subject(client.connection, newer, 60.0)
    scene.access.give_answers()
    await until(lambda: client.connection.confirmation is None)
    assert client.line.closed is None
    assert scene.access.questions == 2


async def test_news_of_the_newer_credential_while_it_is_asked_with_asks_again(
    scene: Scene, anna: UUID
) -> None:
    """No doubt comes of it: nothing was found at its epoch before."""
    client, newer = scene.join(anna), uuid4()
    scene.access.allow(newer, can_write=True)
    scene.access.hold_answers()
    scene.keeper.replace_subject(client.connection, newer, 60.0)
    await until(lambda: scene.access.questions == 1)
    scene.access.revoke(newer)
    scene.keeper.changed(newer)
    scene.clock.advance(0.001)
    scene.access.give_answers()
    await until(lambda: client.line.closed)
    assert client.line.closed == (4403, REVOKED)


async def test_newer_credential_of_a_connection_that_has_gone_is_nobodys(scene: Scene, anna: UUID) -> None:
    client = scene.join(anna)
    scene.keeper.release(client.connection)
    scene.keeper.replace_subject(client.connection, uuid4(), 0.0)
    await asyncio.sleep(0.001)
    assert client.line.closed is None
    assert scene.access.questions == 0


# -- access that ends by itself


async def test_access_that_ends_by_itself_is_asked_for_again_then(scene: Scene, anna: UUID) -> None:
    scene.access.changes_in_s = 0.0
    client = scene.join(anna)
    scene.access.changes_in_s = None
    scene.access.grants[anna] = False  # without any news
    await until(lambda: scene.access.questions == 1)
    await until(lambda: client.connection.confirmation is None)
    assert not client.connection.can_write
    assert client.line.closed is None


async def test_time_that_joining_took_counts_in_when_access_ends_by_itself(scene: Scene, anna: UUID) -> None:
    scene.access.changes_in_s = 5.0
    client = scene.join(anna, asked_at=scene.clock() - 5.0)
    scene.access.changes_in_s = None
    scene.access.revoke(anna)
    async with asyncio.timeout(2):
        await until(lambda: client.line.closed)
    assert client.line.closed == (4403, REVOKED)


async def test_access_that_ends_by_itself_over_and_over_is_not_asked_for_without_a_pause(
    scene: Scene, anna: UUID
) -> None:
    scene.access.changes_in_s = -1.0
    scene.join(anna)
    await asyncio.sleep(10 * leases_module.SOONEST_S)
    assert 1 <= scene.access.questions <= 11


async def test_epoch_of_a_row_that_was_not_there_holds_until_there_is_one(scene: Scene, anna: UUID) -> None:
    row = uuid4()
    grant = Grant(role="editor", can_write=True, epochs={anna: scene.access.epochs[anna], row: None})
    client = Client(scene.clock, user_id=anna)
    scene.clients.append(client)
    scene.room.join(client.connection)
    scene.keeper.hold(client.connection, scene.room, anna, grant, asked_at=scene.clock())
    await scene.keeper.sweep()
    assert client.connection.confirmation is None
    scene.access.epochs[row] = 0
    await scene.keeper.sweep()
    assert client.connection.confirmation is not None
