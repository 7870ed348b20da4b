"""Invitations to rooms that become memberships."""

from __future__ import annotations

from accounts.invitations import TakenUp
from accounts.models import User
from accounts.signals import invitations_due
from collab.models import Room, RoomMember, RoomRole
from collab.services.locks import lock_rooms


def take_up_room_invitations(sender: type, user: User, **_: object) -> list[TakenUp]:
    """Make every invitation of the user's address to a room, in the trash too, a membership of theirs.

    Receives `accounts.signals.invitations_due`, in its transaction. Where they are a member already, the
    stronger role stays.
    """
    invitations = RoomMember.objects.filter(email=user.email)
    lock_rooms(Room.objects.filter(members__in=invitations))
    return [_take_up(invitation, user) for invitation in invitations.select_related("room")]


def _take_up(invitation: RoomMember, user: User) -> TakenUp:
    room = invitation.room
    taken = TakenUp(room.organization_id, room.pk, invitation.pk, invitation.role)
    member = room.members.filter(user=user).first()
    if member is None:
        invitation.user, invitation.email = user, None
        invitation.save(update_fields=["user", "email"])
        return taken
    invitation.delete()
    member.role = min(member.role, invitation.role, key=RoomRole.values.index)
    member.save(update_fields=["role"])
    return taken._replace(member_id=member.pk)


def connect_signals() -> None:
    """Take part when invitations are taken up."""
    invitations_due.connect(take_up_room_invitations, dispatch_uid="collab.take_up_room_invitations")
