"""Cases for one client; where it needs another, that speaks the other protocol."""

from __future__ import annotations

from tests.e2e.compatibility.stage import (
    H2,
    Y3,
    Kind,
    Stage,
    count,
    give_token,
    new_socket,
    token_for,
    type_until,
    wait_saved,
    wait_told,
    witness_for,
)
from tests.support.hocuspocus import HocuspocusProvider

#: A newer token is asked for in the last tenth of it, which a busy machine may need.
LIFETIME_S = 10
MANY = 20
GONE = "You have no access to this room."


async def viewer_reads_and_is_told(stage: Stage, kind: Kind) -> None:
    room, _ = await stage.shared_room("viewer")
    editor = await stage.join(witness_for(kind), stage.owner, room)
    await editor.edit(("text.insert", 0, "by the editor"))
    viewer = await stage.join(kind, stage.other, room)
    await viewer.wait_content("text", "by the editor")
    if isinstance(viewer, HocuspocusProvider):
        assert await viewer.scope() == "readonly"
    await viewer.edit(("text.insert", 0, "by the viewer "))
    await wait_told(viewer, room)
    await editor.edit(("text.insert", 13, ", still read"))
    await viewer.wait_content("text", "by the viewer by the editor, still read")
    assert await editor.text() == "by the editor, still read"
    assert (await stage.content_for_newcomer(room))["text"] == "by the editor, still read"
    assert (await viewer.state())["connections"] == 1


async def editor_is_lowered_while_open(stage: Stage, kind: Kind) -> None:
    room, member = await stage.shared_room("editor")
    owner = await stage.join(witness_for(kind), stage.owner, room)
    lowered = await stage.join(kind, stage.other, room)
    await lowered.edit(("text.insert", 0, "as an editor"))
    await owner.wait_equal(lowered)
    seen = await count(lowered)
    await stage.change_role(room, member, "viewer")
    await type_until(lowered, wait_told(lowered, room, **seen))
    seen = await count(lowered)
    await lowered.edit(("map.set", "as", "a viewer"))
    await wait_told(lowered, room, **seen)
    await owner.edit(("array.insert", 0, ["read by a viewer"]))
    await lowered.wait_content("array", ["read by a viewer"])
    assert (await owner.read())["map"] == {}
    assert (await stage.content_for_newcomer(room))["map"] == {}
    assert (await lowered.state())["connections"] == 1
    if isinstance(lowered, HocuspocusProvider):
        assert await lowered.scope() == "readonly"


async def viewer_is_raised_while_open(stage: Stage, kind: Kind) -> None:
    room, member = await stage.shared_room("viewer")
    owner = await stage.join(witness_for(kind), stage.owner, room)
    raised = await stage.join(kind, stage.other, room)
    await raised.edit(("text.insert", 0, "as a viewer "))
    await wait_told(raised, room)
    assert await owner.text() == ""
    await stage.change_role(room, member, "editor")
    await owner.wait_content("text", "as a viewer ")
    await raised.edit(("text.insert", 0, "as an editor "))
    await owner.wait_equal(raised)
    assert (await raised.state())["connections"] == 1
    if isinstance(raised, HocuspocusProvider):
        await raised.wait_saved()
        assert await raised.scope() == "read-write"


async def revoked_client_is_closed(stage: Stage, kind: Kind) -> None:
    room, member = await stage.shared_room("editor")
    owner = await stage.join(witness_for(kind), stage.owner, room)
    revoked = await stage.join(kind, stage.other, room)
    await stage.revoke(room, member)
    assert (await revoked.wait_denied())["reason"]
    await revoked.wait_closed(4403)
    await revoked.edit(("text.insert", 0, "after"))
    await owner.edit(("map.set", "goes", "on"))
    if kind.gives_up_when_refused:
        assert not (await revoked.state())["should_connect"]
    newcomer = await stage.join(kind, stage.owner, room)
    await newcomer.wait_equal(owner)
    assert await newcomer.text() == ""


async def room_without_access_is_refused(stage: Stage, kind: Kind) -> None:
    room = await stage.room()
    refused = await stage.open(kind, stage.stranger, room)
    assert (await refused.wait_denied())["reason"] == GONE
    if not kind.is_hocuspocus:
        await refused.wait_closed(4403)
    state = await refused.state()
    assert not state["synced"]
    assert state["should_connect"] != kind.gives_up_when_refused
    if kind.is_hocuspocus:
        assert state["connected"], "others may share the socket"
    if kind.is_hocuspocus or kind.gives_up_when_refused:
        assert state["connections"] == 1


async def bad_token_is_refused_and_a_good_one_let_in(stage: Stage, kind: Kind) -> None:
    room = await stage.room()
    for bad in ("not.a.token", token_for(stage.owner, -10)):
        client = await stage.open(kind, stage.owner, room, token=bad)
        assert (await client.wait_denied())["reason"]
        if not kind.is_hocuspocus:
            await client.wait_closed(4401)
        assert not (await client.state())["synced"]
        await give_token(client, kind, stage.owner.access)
        await client.wait_synced()
        await client.edit(("text.insert", 0, "in"))
        witness = await stage.join(witness_for(kind), stage.owner, room)
        await witness.wait_equal(client)


async def expired_token_ends_it_and_a_fresh_one_goes_on(stage: Stage, kind: Kind) -> None:
    """Hocuspocus 3 and 4 are asked in time, and never notice."""
    room = await stage.room()
    witness = await stage.join(witness_for(kind), stage.owner, room)
    token = token_for(stage.owner, LIFETIME_S)
    client = await stage.join(kind, stage.owner, room, token=token)
    other = await stage.join(Y3, stage.owner, room, token=token)
    if isinstance(client, HocuspocusProvider):
        await client.set_token(stage.owner.access if kind.is_asked_for_tokens else token)
    await other.wait_closed(4401, timeout_s=2 * LIFETIME_S)
    if not kind.is_asked_for_tokens:
        await client.wait_denied()
        await client.wait_closed(4401)
    await client.edit(("text.insert", 0, "typed when the token had ended"))
    if not kind.is_asked_for_tokens:
        assert await witness.text() == ""
        await give_token(client, kind, stage.owner.access)
    await witness.wait_equal(client)
    if kind.is_asked_for_tokens:
        assert (await client.state())["connections"] == 1


async def what_is_said_to_be_saved_is_in_the_database(stage: Stage, kind: Kind) -> None:
    room = await stage.room()
    client = await stage.join_echoed(kind, stage.owner, room)
    await wait_saved(client)
    for number in range(5):
        edit = ("text.insert", 0, f"{number} ")
        if isinstance(client, HocuspocusProvider):
            assert await client.edit_unsaved(edit) == 1
        else:
            await client.edit(edit)
        await wait_saved(client)
        assert await stage.stored(room) == await client.read()


async def many_rooms_share_a_socket(stage: Stage, kind: Kind) -> None:
    """More than may wait for their tokens; what was typed before is saved."""
    socket = new_socket()
    rooms = [await stage.room() for _ in range(MANY)]
    first, *others = [
        await stage.open(kind, stage.owner, room, socket=socket, connect=False) for room in rooms
    ]
    for number, client in enumerate((first, *others)):
        await client.edit(("text.insert", 0, f"document {number}"))
    await first.connect()
    for client in (first, *others):
        await wait_saved(client)
    assert (await first.state())["connections"] == 1
    for number in (0, MANY - 1):
        assert (await stage.content_for_newcomer(rooms[number]))["text"] == f"document {number}"


async def one_of_two_rooms_is_revoked(stage: Stage, kind: Kind) -> None:
    socket = new_socket()
    (kept_room, _), (lost_room, member) = await stage.shared_room(), await stage.shared_room()
    kept, lost = [await stage.join(kind, stage.other, room, socket=socket) for room in (kept_room, lost_room)]
    await stage.revoke(lost_room, member)
    await lost.wait_denied()
    if kind != H2:  # it has left the document by then, and knows no Close
        await lost.wait_closed(1000)
    await lost.edit(("text.insert", 0, "after"))
    await kept.edit(("text.insert", 0, "goes on"))
    await wait_saved(kept)
    assert (await kept.state())["connections"] == 1
    assert (await stage.content_for_newcomer(lost_room))["text"] == ""
