"""An open socket lives no longer than the token that opened it."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.site import Site

LIFETIME_S = 2


async def test_token_that_expires_closes_the_open_socket_4401_and_opens_no_other(
    new_site: Callable[..., Site],
) -> None:
    site = new_site(ACCESS_TOKEN_LIFETIME_S=str(LIFETIME_S))
    alice = site.person("alice")
    room = alice.create_room()
    alice.sign_in()
    provider = await site.join(alice, room)
    await provider.wait_event("closed", code=4401, timeout_s=LIFETIME_S + 2)

    late = await site.open(alice, room)
    await late.wait_event("closed", code=4401)
    assert not await late.text()

    alice.sign_in()
    await provider.edit(("text.insert", 0, "typed while signed out"))
    await provider.connect(params={"token": alice.access})
    await provider.wait_event("sync", since=(await provider.state())["events"] - 1, synced=True)
    other = await site.join(alice, room)
    await other.wait_content("text", "typed while signed out")
