"""The engine's relay over the channel layer, and the news of access changes.

One channel a process, in the group of each room that is live there, so that an update crosses the
layer once for each process and never once for each client. The layer may lose anything (a channel
over its capacity drops): what is published is a hint, and everything is healed from the log or from
state vectors. A layer that restarted has forgotten its groups, one that is stopped never answers: a
process sends itself a probe every second, and where it does not hear it, it subscribes again. While
the layer does not answer, nothing is published and nobody waits for it.

A process is named by its channel. Every second it adds that to the group of all processes once more and
looks who else did: a few commands, however many processes there are, and no message.

    {"type": "collab.message", "sender": channel of the process, "kind": class of the message, …its fields}
    {"type": "collab.bundle", "messages": some of these, for one process}
    {"type": "collab.access", "object_ids": ids of the rows whose epoch moved}
    {"type": "collab.probe", "number": that of the probe}
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID, uuid4

from asgiref.sync import async_to_sync
from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer, InMemoryChannelLayer, get_channel_layer

from accounts.signals import access_changed
from collab.engine.errors import UnavailableError
from collab.engine.hocuspocus import check_stateless
from collab.engine.ports import (
    BroadcastFrame,
    CommittedRows,
    PeerQuestion,
    PeerUpdate,
    PresenceChanged,
    PresenceQuestion,
    Receiver,
    RelayMessage,
    StatelessMessage,
)
from collab.engine.processes import OtherProcesses
from collab.engine.slices import Turn

logger = logging.getLogger("collab.relay")

#: The rooms that the log keeps, and those that it does not.
STORED, UNSTORED = "stored", "unstored"
#: Every process is in these groups; access changes concern rooms that the sender can't know of.
ACCESS_GROUP, PROCESS_GROUP = "collab.access", "collab.processes"
#: Subscriptions are renewed so often even where nothing seems to be wrong: groups expire.
RENEW_S = 30.0
#: How often a process looks whether it still hears itself, and tries a layer again that failed.
PROBE_S = 1.0
#: How often a process says that it is there, and looks who else does.
BEAT_S = 1.0
#: How long one call of the layer may take; what waits for it is somebody's request.
PATIENCE_S = 1.0
_KINDS: dict[str, type[RelayMessage]] = {
    kind.__name__: kind
    for kind in (
        CommittedRows,
        PeerUpdate,
        PeerQuestion,
        PresenceChanged,
        PresenceQuestion,
        BroadcastFrame,
        StatelessMessage,
    )
}
_GROUP_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,98}")
_HASHED = "hashed-"


def group_name(room_name: str) -> str:
    """The group of a room's consumers: its name where that can be one, else a hash of it."""
    if _GROUP_NAME.fullmatch(room_name) and not room_name.startswith((_HASHED, "collab.")):
        return room_name
    return _HASHED + hashlib.sha256(room_name.encode("utf-8", "surrogatepass")).hexdigest()


class LayerRelay:
    """See `engine.ports.Relay`. Rooms of one namespace do not hear those of another.

    Args:
        on_access_change: is told the id of each row whose epoch moved.
        on_process_gone: is told of a process that died, as `PresenceChanged` names it.
    """

    def __init__(
        self,
        layer: BaseChannelLayer,
        on_access_change: Callable[[UUID], None],
        on_process_gone: Callable[[str], None],
    ) -> None:
        self._layer = layer
        self._on_access_change = on_access_change
        self._on_process_gone = on_process_gone
        self._others = OtherProcesses()
        self._own_group = f"collab.process.{uuid4().hex}"
        self._channel: str | None = None
        self._receivers: dict[str, Receiver] = {}
        self._is_answering = True
        self._was_reported = False
        self._probe = self._heard = 0
        self._renew_at = 0.0

    @property
    def reaches_others(self) -> bool:
        return not isinstance(self._layer, InMemoryChannelLayer)

    @property
    def is_hearing(self) -> bool:
        """Whether messages come through, as far as is known."""
        return not self._was_reported and (self._heard > 0 or not self.reaches_others)

    def in_namespace(self, namespace: str) -> NamespacedRelay:
        """A view of this relay for the rooms of one kind."""
        return NamespacedRelay(self, namespace)

    async def add(self, group: str, receiver: Receiver) -> None:
        self._receivers[group] = receiver
        await self._try(self._add_to_layer, group)

    async def discard(self, group: str) -> None:
        self._receivers.pop(group, None)
        if self._channel is not None:
            await self._try(self._layer.group_discard, group, self._channel)

    async def send(self, messages: Sequence[tuple[str, RelayMessage]]) -> None:
        """Send each to its group; where the layer tells who is in a group, one bundle to each process."""
        encoded = [(group, _encode(message, group, self._channel or "")) for group, message in messages]
        if hasattr(self._layer, "channels_in"):
            await self._try(self._send_bundles, encoded)
        else:
            for group, message in encoded:
                await self._try(self._layer.group_send, group, message)

    async def _send_bundles(self, messages: Sequence[tuple[str, dict[str, Any]]]) -> None:
        channels_in = await self._layer.channels_in({group for group, _ in messages})
        bundles: dict[str, list[dict[str, Any]]] = {}
        for group, message in messages:
            for channel in channels_in[group]:
                if channel != self._channel:
                    bundles.setdefault(channel, []).append(message)
        await asyncio.gather(*(self._send_bundle(channel, bundle) for channel, bundle in bundles.items()))

    async def _send_bundle(self, channel: str, messages: list[dict[str, Any]]) -> None:
        with contextlib.suppress(ChannelFull):  # it is behind, and will see in the log what it has missed
            await self._layer.send(channel, {"type": "collab.bundle", "messages": messages})

    async def run(self) -> None:
        """Receive what others send, for ever; a layer that fails is tried again."""
        while True:
            try:
                if self._channel is None:
                    self._channel = await self._layer.new_channel("collab")
                    await self._renew()
                while True:
                    await self._dispatch_all(await self._layer.receive(self._channel))
            except Exception as error:  # noqa: BLE001 - each layer has errors of its own
                self._failed(error)
            await asyncio.sleep(PROBE_S)

    async def watch(self) -> None:
        """Subscribe again where messages do not arrive, for ever."""
        while True:
            await asyncio.sleep(PROBE_S)
            is_lost = self.reaches_others and self._heard < self._probe - 1  # the newest may be on its way
            if is_lost and self._is_answering:
                self._failed(TimeoutError("a message of this process to itself did not arrive"))
            if is_lost or not self._is_answering or time.monotonic() >= self._renew_at:
                await self._renew()
            if self.reaches_others:
                self._probe += 1
                probe = {"type": "collab.probe", "number": self._probe}
                await self._try(self._layer.group_send, self._own_group, probe)

    async def beat(self) -> None:
        """Say that this process is there, and find out who is not any more, for ever.

        Not a part of `watch`, which takes longer than others wait where it renews many groups. With a layer
        that can't tell who added themselves, states end when nobody renews them.
        """
        while True:
            await asyncio.sleep(BEAT_S)
            if hasattr(self._layer, "added_to"):
                await self._try(self._look_for_others)

    async def _look_for_others(self) -> None:
        await self._add_to_layer(PROCESS_GROUP)
        added = await self._layer.added_to(PROCESS_GROUP)
        if self._channel not in added:
            return
        del added[self._channel]
        for process in self._others.look(added):
            self._on_process_gone(process)
            await self._layer.group_discard(PROCESS_GROUP, process)

    async def leave(self) -> None:
        """Be sent nothing more, at the end of the process, when all rooms are left and the tasks are over."""
        if self._channel is not None:
            for group in (PROCESS_GROUP, ACCESS_GROUP, self._own_group):
                await self._try(self._layer.group_discard, group, self._channel)

    async def _renew(self) -> None:
        """Subscribe to everything; that it succeeds is how a layer that failed is known to be back."""
        self._is_answering = True
        turn = Turn()
        for group in (self._own_group, ACCESS_GROUP):
            await self._try(self._add_to_layer, group)
        for group in list(self._receivers):
            if group in self._receivers:  # the room may have been left meanwhile
                await self._try(self._add_to_layer, group)
            await turn.rest()
        self._renew_at = time.monotonic() + RENEW_S

    async def _add_to_layer(self, group: str) -> None:
        if self._channel is not None:
            await self._layer.group_add(group, self._channel)

    async def _try(self, call: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Do without the layer where it fails: nothing depends on its keeping its word."""
        if not self._is_answering:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await call(*args)
        except Exception as error:  # noqa: BLE001 - each layer has errors of its own
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._is_answering = False
        if not self._was_reported:
            self._was_reported = True
            logger.warning(
                "The channel layer (Redis) does not pass messages on: %s. Updates are saved and reach other "
                "processes by way of the database, within seconds",
                _words_of(error),
            )

    def _heard_probe(self, number: int) -> None:
        self._heard = max(self._heard, number)
        if self._was_reported and self._heard == self._probe:
            self._was_reported = False
            logger.warning("The channel layer (Redis) passes messages on again")

    async def _dispatch_all(self, message: dict[str, Any]) -> None:
        """Handle a message, or those that another process had to say at once, in order."""
        if message["type"] != "collab.bundle":
            self._dispatch(message)
            return
        turn = Turn()
        for bundled in message["messages"]:
            self._dispatch(bundled)
            await turn.rest()

    def _dispatch(self, message: dict[str, Any]) -> None:
        sender = message.get("sender")
        if sender and sender != self._channel:
            self._others.heard(sender)
        try:
            if message["type"] == "collab.access":
                for object_id in message["object_ids"]:
                    self._on_access_change(UUID(object_id))
            elif message["type"] == "collab.probe":
                self._heard_probe(message["number"])
            elif sender != self._channel and message["group"] in self._receivers:
                self._receivers[message["group"]](_decode(message))
        except Exception:
            logger.exception("A message of the channel layer could not be handled")


class NamespacedRelay:
    """A `LayerRelay` for the rooms of one kind: the port that a registry uses."""

    def __init__(self, relay: LayerRelay, namespace: str) -> None:
        self._relay = relay
        self._namespace = namespace

    @property
    def reaches_others(self) -> bool:
        return self._relay.reaches_others

    async def subscribe(self, room: str, receiver: Receiver) -> None:
        await self._relay.add(_group(self._namespace, room), receiver)

    async def unsubscribe(self, room: str) -> None:
        await self._relay.discard(_group(self._namespace, room))

    async def publish(self, *messages: RelayMessage) -> None:
        await self._relay.send([(_group(self._namespace, message.room), message) for message in messages])


def _group(namespace: str, room: str) -> str:
    digest = hashlib.sha256(room.encode("utf-8", "surrogatepass")).hexdigest()
    return f"collab.{namespace}.{digest}"


def _encode(message: RelayMessage, group: str, sender: str) -> dict[str, Any]:
    kind = type(message).__name__
    return {**asdict(message), "type": "collab.message", "sender": sender, "kind": kind, "group": group}


def _decode(message: dict[str, Any]) -> RelayMessage:
    kind = _KINDS[message["kind"]]
    fields = {name: message[name] for name in kind.__dataclass_fields__}
    if kind is PresenceChanged:
        fields["process"] = message["sender"]
    if kind is CommittedRows:
        fields["rows"] = tuple((seq, bytes(data)) for seq, data in fields["rows"])
    return kind(**fields)


def _words_of(error: Exception) -> str:
    return str(error).rstrip(".") or (
        "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    )


def publish_access_change(sender: type, object_ids: Collection[UUID], **kwargs: object) -> None:
    """Tell every process, from synchronous code, that what was found at these rows' epochs may be over.

    Takes `PATIENCE_S` at most: somebody waits for the answer of the request that changed it.
    """
    message = {"type": "collab.access", "object_ids": [str(object_id) for object_id in object_ids]}
    try:
        async_to_sync(_send_within_patience)(get_channel_layer(), ACCESS_GROUP, message)
    except Exception as error:  # noqa: BLE001 - each layer has errors of its own
        logger.warning("News of an access change was lost, leases will find it out: %s", _words_of(error))


def send_stateless(room_id: UUID, payload: str) -> None:
    """From synchronous code: a Stateless message to every Hocuspocus client that has this room open.

    Who has not, or reads too slowly, does not hear it.

    Args:
        payload: at most `MAX_STATELESS_BYTES` as UTF-8.

    Raises:
        MessageTooBigError: it is longer.
        UnavailableError: the layer does not answer.
    """
    check_stateless(payload.encode())
    room = str(room_id)
    group = _group(STORED, room)
    message = _encode(StatelessMessage(room, payload), group, sender="")
    try:
        async_to_sync(_send_within_patience)(get_channel_layer(), group, message)
    except Exception as error:
        raise UnavailableError(f"The channel layer does not answer: {_words_of(error)}") from error


async def _send_within_patience(layer: BaseChannelLayer, group: str, message: dict[str, Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await layer.group_send(group, message)


def connect_signals() -> None:
    """Publish what services announce."""
    access_changed.connect(publish_access_change, dispatch_uid="collab.publish_access_change")
