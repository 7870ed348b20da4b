"""The Redis channel layer, with an end to every wait and no word about what does not matter."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from typing import Any

from channels_redis.core import RedisChannelLayer

logger = logging.getLogger("collab.relay")

CONNECT_TIMEOUT_S = 1
#: How long one read of the layer blocks in Redis when there is nothing to read.
READ_S = 2
#: Silence that is more than a read without a message: Redis is stopped, or the line is cut.
SILENCE_S = READ_S + 2


class RedisLayer(RedisChannelLayer):
    """Waits for Redis a few seconds and never for ever.

    The silence that the client library takes for a dead line is by default as long as the layer's own
    reads block, so that an idle line would be given up again and again.
    """

    brpop_timeout = READ_S

    def __init__(self, hosts: list[str], **options: Any) -> None:
        waits = {"socket_connect_timeout": CONNECT_TIMEOUT_S, "socket_timeout": SILENCE_S}
        super().__init__(hosts=[{"address": host, **waits} for host in hosts], **options)

    async def channels_in(self, groups: Collection[str]) -> dict[str, list[str]]:
        """The channels in each of these groups, in one round trip to each server."""
        found: dict[str, list[str]] = {}
        by_server: dict[int, list[str]] = {}
        for group in groups:
            by_server.setdefault(self.consistent_hash(group), []).append(group)
        oldest = int(time.time()) - self.group_expiry
        for index, some in by_server.items():
            pipeline = self.connection(index).pipeline(transaction=False)
            for group in some:
                pipeline.zrangebyscore(self._group_key(group), oldest, "+inf")
            for group, channels in zip(some, await pipeline.execute(), strict=True):
                found[group] = [channel.decode() for channel in channels]
        return found

    async def added_to(self, group: str) -> dict[str, float]:
        """When each channel of a group was last added to it, by the clock of who did that."""
        key, index = self._group_key(group), self.consistent_hash(group)
        found = await self.connection(index).zrange(key, 0, -1, withscores=True)
        return {channel.decode(): added_at for channel, added_at in found}

    async def _clean_receive_backup(self, index: int, channel: str) -> None:
        """A message that was handled may come again if this fails; whoever hears it twice loses nothing."""
        try:
            await super()._clean_receive_backup(index, channel)
        except Exception as error:  # noqa: BLE001 - runs in a task that nobody waits for
            logger.debug("A message was not taken off its backup: %r", error)
