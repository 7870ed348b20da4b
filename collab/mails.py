"""Which mails go out when: somebody was invited or added, access was asked for, a request was answered.

The links lead to the front end:

    /invitations/<token>?room=<id>, ?organization=<id>    make an account, or prove an address
    /rooms/<id>, /rooms/<id>?requests, /organizations/<id>
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from accounts.invitations import TOKEN_LIFETIME_S, make_invitation_token
from accounts.mail import send_mail
from accounts.models import Organization, OrganizationMember, OrganizationRole, User
from accounts.signals import member_added
from collab.models import AccessRequest, AccessRequestStatus, Room, RoomMember, RoomRole
from collab.signals import access_request_answered, access_requested

#: People who are told of one request for access.
MAX_TOLD = 20


def tell_new_member(sender: type, membership: OrganizationMember | RoomMember, actor: User, **_: Any) -> None:
    """An invitation leads to an account, all other mails to what they tell of. Groups are told nothing."""
    target: Room | Organization
    if isinstance(membership, RoomMember):
        what, kind, target = "the document", "room", membership.room
    else:
        what, kind, target = "the organization", "organization", membership.organization
    context = {"inviter": actor.name, "what": what, "name": target.name, "role": membership.role}
    if membership.email is not None:
        token = make_invitation_token(membership.email)
        send_mail(
            "invited",
            [membership.email],
            subject=f"{actor.name} invites you to “{target.name}”",
            path=f"/invitations/{token}?{kind}={target.pk}",
            days=TOKEN_LIFETIME_S // 86400,
            **context,
        )
    elif membership.user is not None and membership.user != actor:
        subject = f"{actor.name} shares “{target.name}” with you"
        send_mail("added", [membership.user.email], subject=subject, path=f"/{kind}s/{target.pk}", **context)


def tell_of_request(sender: type, access_request: AccessRequest, **_: Any) -> None:
    """Tell the owners of the room; where it has none, those of the organization."""
    of_room = Q(room_memberships__room=access_request.room, room_memberships__role=RoomRole.OWNER)
    of_organization = Q(
        organization_memberships__organization=access_request.room.organization_id,
        organization_memberships__role__in=(OrganizationRole.OWNER, OrganizationRole.ADMIN),
    )
    for owners in (of_room, of_organization):
        people = User.objects.filter(owners, is_active=True).distinct().order_by("pk")
        addresses = list(people.values_list("email", flat=True)[:MAX_TOLD])
        if addresses:
            break
    send_mail(
        "access_requested",
        addresses,
        subject=f"{access_request.user.name} asks for access to “{access_request.room.name}”",
        path=f"/rooms/{access_request.room_id}?requests",
        asker=access_request.user.name,
        asker_email=access_request.user.email,
        role=access_request.role,
        name=access_request.room.name,
        message=access_request.message,
    )


def tell_answer(sender: type, access_request: AccessRequest, **_: Any) -> None:
    """Tell whoever asked."""
    is_accepted = access_request.status == AccessRequestStatus.ACCEPTED
    name = access_request.room.name
    send_mail(
        "access_request_answered",
        [access_request.user.email],
        subject=f"You have access to “{name}”" if is_accepted else f"No access to “{name}”",
        path=f"/rooms/{access_request.room_id}" if is_accepted else "/",
        is_accepted=is_accepted,
        role=access_request.role,
        name=name,
    )


def connect_signals() -> None:
    """Send what services announce."""
    member_added.connect(tell_new_member, dispatch_uid="collab.tell_new_member")
    access_requested.connect(tell_of_request, dispatch_uid="collab.tell_of_request")
    access_request_answered.connect(tell_answer, dispatch_uid="collab.tell_answer")
