"""One connection in one stored room: by whose right it is there, and what is held for it while it lasts.

Shared by the consumers of both protocols, so that access is decided, followed and ended in one way.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, MutableMapping
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from django.utils import timezone

from accounts.middleware import AuthUnavailableError, Secret, authenticate
from accounts.models import User
from accounts.origins import origin_of_scope
from accounts.tokens import Credential, TokenRefusedError
from collab.engine.connection import Connection
from collab.engine.errors import ForbiddenError, MalformedError, UnauthenticatedError, UnavailableError
from collab.engine.identity import Identity, color_of
from collab.engine.logged import GONE
from collab.engine.ports import Grant
from collab.engine.room import LiveRoom
from collab.live import LiveEngine, get_engine
from collab.live_access import NOT_KICKED, Subject
from collab.models import LiveConnection

logger = logging.getLogger("collab.consumer")

AUTH_AWAY = "Nobody can say now who you are; nothing was lost, try again later."
NEEDS_TOKEN = "An access token is needed."  # noqa: S105  # a name or a sentence, no secret

Scope = MutableMapping[str, Any]


def room_id_in(name: str) -> str:
    """A room's id in its one spelling.

    Raises:
        MalformedError: the name is not a UUID.
    """
    try:
        room_id = str(UUID(name))
    except ValueError:
        room_id = ""
    if room_id != name.lower():
        raise MalformedError("The room name is not a room id; expected a UUID.")
    return room_id


def signed_in(scope: Scope) -> tuple[User, Credential | None]:
    """Who opened the socket, by what its handshake came with.

    Raises:
        UnauthenticatedError: with nothing, or what was refused.
        UnavailableError: nobody can say.
    """
    if scope.get("auth_unavailable"):
        raise UnavailableError(AUTH_AWAY)
    user = scope["user"]
    if user is None or user.is_anonymous:
        raise UnauthenticatedError(scope.get("auth_error") or NEEDS_TOKEN)
    return user, scope.get("credential")


async def verify(token: bytes, scope: Scope) -> tuple[User, Credential]:
    """Who an access token that came over the open socket is of; verified like one of the handshake.

    Raises:
        UnauthenticatedError: it is not good.
        UnavailableError: nobody can say.
    """
    try:
        return await authenticate(Secret(token), origin_of_scope(scope), get_engine().access.authenticate)
    except TokenRefusedError as error:
        raise UnauthenticatedError(str(error)) from error
    except AuthUnavailableError as error:
        logger.warning("A token could not be checked. %s", error)
        raise UnavailableError(AUTH_AWAY) from error


def is_over(credential: Credential | None) -> bool:
    """Whether it has ended by itself."""
    return credential is not None and credential.expires_at <= time.time()


def is_for(credential: Credential | None, room_name: str) -> bool:
    """Whether it is not one for another room."""
    return credential is None or credential.room_id in {None, UUID(room_name)}


class RoomSession:
    """See the module. `authorize()` at the door, `begin()` when the connection is in, `end()` when it leaves.

    Args:
        protocol: what others are told that the client speaks.
    """

    def __init__(
        self, engine: LiveEngine, user: User, credential: Credential | None, room_name: str, protocol: str
    ) -> None:
        self.user = user
        self.meter = engine.meters.of(user.pk)
        self.room_name = room_name
        self._engine = engine
        self._protocol = protocol
        self._subject = Subject(user.pk, credential)
        self._asked_at = 0.0
        self._grant: Grant | None = None
        self._connection: Connection | None = None
        self._user_name = user.name
        self._identify: Callable[[], None] = lambda: None

    @property
    def grant(self) -> Grant:
        """What was found at the door."""
        assert self._grant is not None
        return self._grant

    @property
    def seconds_left(self) -> float | None:
        """How long the credential is still good for; None where it does not end by itself."""
        credential = self._subject.credential
        return None if credential is None else credential.expires_at - time.time()

    async def authorize(self) -> None:
        """Decide on access, before the room is touched. A user who has taken more than a share waits for it.

        Raises:
            ForbiddenError: there is none. An unknown room, another tenant's and one without a grant can't
                be told apart.
            UnauthenticatedError: the credential is not good any more.
            UnavailableError: it can't be known.
        """
        if not is_for(self._subject.credential, self.room_name):
            raise ForbiddenError(GONE)
        await asyncio.sleep(self.meter.pause_s())
        self._asked_at = self._engine.clock()
        self._grant = await self._engine.access.resolve(self._subject, self.room_name)
        if self._grant is None:
            raise ForbiddenError(GONE)
        self._user_name = self._grant.user_name

    def presence_user(self) -> dict[str, str]:
        """Who it is to the others in the room."""
        user_id = str(self.user.pk)
        return {"id": user_id, "name": self._user_name, "color": color_of(user_id)}

    def begin(
        self, room: LiveRoom, connection: Connection, identify: Callable[[], None] | None = None
    ) -> None:
        """The connection is in the room: hold its access as a lease, and let others see that it is there.

        Args:
            identify: tells the connection again who it is to the others, when the user has another name.
                By default that is `presence_user()`, which is told it now, too.
        """
        connection_id, room_id = UUID(connection.id), UUID(self.room_name)
        self._connection = connection
        self._identify = identify or (lambda: connection.identify(Identity(self.presence_user())))
        if identify is None:
            self._identify()
        connection.on_renamed = self._renamed
        connection.on_write_denied = partial(self._engine.denials.denied, self.user, room_id, connection_id)
        self._engine.leases.hold(
            connection,
            room,
            replace(self._subject, connection_id=connection_id),
            replace(self.grant, epochs={**self.grant.epochs, connection_id: NOT_KICKED}),
            asked_at=self._asked_at,
            expires_in_s=self.seconds_left,
        )
        self._engine.roster.opened(
            LiveConnection(
                id=connection_id,
                room_id=room_id,
                user_id=self.user.pk,
                role=self.grant.role,
                protocol=self._protocol,
                since=timezone.now(),
            )
        )

    def _renamed(self, name: str) -> None:
        if name != self._user_name:
            self._user_name = name
            self._identify()

    async def renew(self, token: bytes, scope: Scope) -> None:
        """Put a newer access token of the same user in the place of what the connection came with.

        Raises:
            UnauthenticatedError, UnavailableError: see `verify`.
        """
        assert self._connection is not None
        newer, credential = await verify(token, scope)
        if newer.pk != self.user.pk:
            raise UnauthenticatedError("The token is another user's; connect again with it.")
        self._subject = Subject(newer.pk, credential, UUID(self._connection.id))
        self._engine.leases.replace_subject(self._connection, self._subject, self.seconds_left)

    def end(self) -> None:
        """The connection has left, or never came in; harmless if that was said before."""
        if self._connection is not None:
            self._engine.leases.release(self._connection)
            self._engine.roster.closed(UUID(self._connection.id))
