"""Each service that moves access says so in the audit trail; a new service needs an entry in a table here."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from django.utils import timezone

import accounts.services
import collab.services
from accounts.audit import AuditAction as Action
from accounts.invitations import make_invitation_token
from accounts.models import AuditEntry, Group, GroupMember, Organization, OrganizationRole, Origin, User
from accounts.models import Session as SignIn
from accounts.oidc import ExternalClaims
from accounts.services import (
    external_users,
    groups,
    invitations,
    locks,
    organizations,
    passwords,
    sessions,
    tickets,
    users,
)
from accounts.tokens import Credential, TokenRefusedError
from collab.models import AccessRequest, Room, RoomRole
from collab.services import access_requests, connections, imports, members, ownership, rooms, share_links
from collab.services import invitations as room_invitations
from collab.services import locks as room_locks
from collab.services import organizations as room_organizations
from tests.factories import (
    add_to_organization,
    add_to_room,
    make_connection,
    make_group,
    make_link,
    make_organization,
    make_room,
    make_user,
)

PASSWORD = "correct-horse-battery-staple"


class World:
    """An organization that `boss` owns, with a group, a room and all that a room can have."""

    def __init__(self) -> None:
        self.boss, self.member, self.outsider = make_user(), make_user(password=PASSWORD), make_user()
        self.boss.origin = self.member.origin = self.outsider.origin = Origin("192.0.2.1", "Firefox")
        self.organization = make_organization(owner=self.boss)
        self.membership = add_to_organization(self.organization, self.member, "member")
        self.group = make_group(self.organization)
        self.room = make_room(self.organization, owner=self.boss)
        self.link = make_link(self.room)
        self.connection = make_connection(self.room, self.member)

    def here(self) -> dict[str, Any]:
        return {"actor": self.boss, "organization_id": self.organization.pk}

    def import_room(self) -> None:
        """A room that was another server's."""
        room_id = uuid4()
        imports.import_room(
            owner=self.boss,
            organization_id=self.organization.pk,
            room_id=room_id,
            name="Imported",
            organization_role=None,
            update=b"\x00\x00",
            state_vector=b"\x00",
        )
        self.room = Room.objects.get(pk=room_id)

    def in_room(self) -> dict[str, Any]:
        return {"actor": self.boss, "room_id": self.room.pk}

    def membership_here(self) -> dict[str, Any]:
        return self.here() | {"member_id": self.membership.pk}

    def group_here(self) -> dict[str, Any]:
        return self.here() | {"group_id": self.group.pk}

    def group_member(self) -> GroupMember:
        return GroupMember.objects.create(group=self.group, member=self.membership)

    def room_member(self) -> dict[str, Any]:
        return self.in_room() | {"member_id": add_to_room(self.room, self.outsider, "viewer").pk}

    def link_here(self) -> dict[str, Any]:
        return self.in_room() | {"link_id": self.link.pk}

    def request_here(self) -> dict[str, Any]:
        request = AccessRequest.objects.create(room=self.room, user=self.member, role="viewer")
        return self.in_room() | {"request_id": request.pk}

    def connection_here(self) -> dict[str, Any]:
        return self.in_room() | {"connection_id": self.connection.pk}

    def trashed(self) -> dict[str, Any]:
        Room.objects.filter(pk=self.room.pk).update(trashed_at=timezone.now())
        return self.in_room()

    def signed_in(self) -> str:
        return str(sessions.begin_session(user=self.member))

    def invited(self) -> dict[str, Any]:
        add_to_organization(self.organization, self.outsider.email, "guest")
        return {"user": self.outsider, "token": make_invitation_token(self.outsider.email)}

    def deactivated(self) -> User:
        User.objects.filter(pk=self.member.pk).update(is_active=False)
        return self.member

    def use_ticket_twice(self) -> None:
        credential = Credential(self.member.pk, timezone.now().timestamp() + 60)
        secret = tickets.issue_ticket(user=self.member, credential=credential, room_id=self.room.pk).encode()
        tickets.use_ticket(secret, origin=Origin())
        with pytest.raises(TokenRefusedError):
            tickets.use_ticket(secret, origin=Origin())

    def claims(self) -> ExternalClaims:
        Organization.objects.filter(pk=self.organization.pk).update(external_id="northwind")
        return ExternalClaims(
            issuer="https://id.example",
            subject="7",
            organization="northwind",
            email="new@example.com",
            is_email_verified=True,
            name="New",
            expires_at=timezone.now().timestamp() + 60,
        )


def _nobody(world: World) -> None:
    return None


def _member(world: World) -> UUID:
    return world.member.pk


def _outsider(world: World) -> UUID:
    return world.outsider.pk


def _group(world: World) -> UUID:
    return world.group.pk


def _link(world: World) -> UUID:
    return world.link.pk


class Audited(NamedTuple):
    """`call` does it; the entry has this action, and this subject; and the room, if `of_room`."""

    service: Callable[..., Any]
    call: Callable[[World], object]
    action: Action
    subject: Callable[[World], UUID | None] = _nobody
    of_room: bool = False


AUDITED = [
    Audited(
        external_users.sign_in_external_user,
        lambda w: external_users.sign_in_external_user(w.claims()),
        Action.ORGANIZATION_MEMBER_ADDED,
        lambda w: User.objects.get(email="new@example.com").pk,
    ),
    Audited(
        groups.create_group,
        lambda w: groups.create_group(**w.here(), name="New"),
        Action.GROUP_CREATED,
        lambda w: Group.objects.get(name="New").pk,
    ),
    Audited(
        groups.rename_group,
        lambda w: groups.rename_group(**w.group_here(), name="New"),
        Action.GROUP_CHANGED,
        _group,
    ),
    Audited(
        groups.delete_group, lambda w: groups.delete_group(**w.group_here()), Action.GROUP_DELETED, _group
    ),
    Audited(
        groups.add_group_member,
        lambda w: groups.add_group_member(**w.group_here(), user_id=w.member.pk),
        Action.GROUP_MEMBER_ADDED,
        _member,
    ),
    Audited(
        groups.remove_group_member,
        lambda w: groups.remove_group_member(**w.group_here(), member_id=w.group_member().pk),
        Action.GROUP_MEMBER_REMOVED,
        _member,
    ),
    Audited(
        groups.dangerously_remove_group_member,
        lambda w: groups.dangerously_remove_group_member(actor=w.boss, member_id=w.group_member().pk),
        Action.GROUP_MEMBER_REMOVED,
        _member,
    ),
    Audited(
        invitations.accept_invitations,
        lambda w: invitations.accept_invitations(**w.invited()),
        Action.INVITATION_TAKEN_UP,
        _outsider,
    ),
    Audited(
        organizations.create_organization,
        lambda w: organizations.create_organization(owner=w.boss, name="New"),
        Action.ORGANIZATION_CREATED,
    ),
    Audited(
        organizations.rename_organization,
        lambda w: organizations.rename_organization(**w.here(), name="New"),
        Action.ORGANIZATION_CHANGED,
    ),
    Audited(
        organizations.delete_organization,
        lambda w: organizations.delete_organization(**w.here()),
        Action.ORGANIZATION_DELETED,
    ),
    Audited(
        organizations.add_organization_member,
        lambda w: organizations.add_organization_member(
            **w.here(), email=w.outsider.email, role=OrganizationRole.GUEST
        ),
        Action.ORGANIZATION_MEMBER_ADDED,
        _outsider,
    ),
    Audited(
        organizations.change_organization_member_role,
        lambda w: organizations.change_organization_member_role(
            **w.membership_here(), role=OrganizationRole.GUEST
        ),
        Action.ORGANIZATION_MEMBER_CHANGED,
        _member,
    ),
    Audited(
        organizations.remove_organization_member,
        lambda w: organizations.remove_organization_member(**w.membership_here()),
        Action.ORGANIZATION_MEMBER_REMOVED,
        _member,
    ),
    Audited(
        passwords.change_password,
        lambda w: passwords.change_password(
            user=w.member, old_password=PASSWORD, new_password=PASSWORD + "!"
        ),
        Action.PASSWORD_CHANGED,
        _member,
    ),
    Audited(
        passwords.dangerously_set_password,
        lambda w: passwords.dangerously_set_password(actor=w.boss, user=w.member, password=None),
        Action.PASSWORD_CHANGED,
        _member,
    ),
    Audited(
        sessions.begin_session,
        lambda w: sessions.begin_session(user=w.member),
        Action.SIGNED_IN,
        _member,
    ),
    Audited(
        sessions.end_session,
        lambda w: sessions.end_session(refresh=w.signed_in(), origin=Origin()),
        Action.SIGNED_OUT,
        _member,
    ),
    Audited(
        sessions.dangerously_end_all_sessions,
        lambda w: sessions.dangerously_end_all_sessions(actor=w.boss, user=w.member),
        Action.SIGNED_OUT,
        _member,
    ),
    Audited(
        sessions.dangerously_end_session,
        lambda w: sessions.dangerously_end_session(
            actor=w.boss, session_id=w.signed_in() and SignIn.objects.get().pk
        ),
        Action.SIGNED_OUT,
        _member,
    ),
    Audited(
        sessions.record_failed_sign_in,
        lambda w: sessions.record_failed_sign_in(email=w.member.email, origin=Origin()),
        Action.SIGN_IN_FAILED,
        _member,
    ),
    Audited(tickets.use_ticket, World.use_ticket_twice, Action.TICKET_REUSED, _member, of_room=True),
    Audited(
        users.register_user,
        lambda w: users.register_user(email="new@example.com", password=PASSWORD, name="New"),
        Action.ORGANIZATION_CREATED,
    ),
    Audited(
        users.deactivate_user,
        lambda w: users.deactivate_user(user=w.member, actor=None),
        Action.USER_DEACTIVATED,
        _member,
    ),
    Audited(
        users.activate_user,
        lambda w: users.activate_user(user=w.deactivated(), actor=None),
        Action.USER_ACTIVATED,
        _member,
    ),
    Audited(users.erase_user, lambda w: users.erase_user(user=w.member), Action.USER_ERASED, _member),
    Audited(
        access_requests.request_access,
        lambda w: access_requests.request_access(actor=w.member, room_id=w.room.pk, role=RoomRole.VIEWER),
        Action.ACCESS_REQUESTED,
        _member,
        of_room=True,
    ),
    Audited(
        access_requests.accept_access_request,
        lambda w: access_requests.accept_access_request(**w.request_here()),
        Action.ACCESS_REQUEST_ACCEPTED,
        _member,
        of_room=True,
    ),
    Audited(
        access_requests.decline_access_request,
        lambda w: access_requests.decline_access_request(**w.request_here()),
        Action.ACCESS_REQUEST_DECLINED,
        _member,
        of_room=True,
    ),
    Audited(
        connections.kick,
        lambda w: connections.kick(**w.connection_here()),
        Action.CONNECTION_KICKED,
        _member,
        of_room=True,
    ),
    Audited(
        connections.dangerously_kick,
        lambda w: connections.dangerously_kick(**w.connection_here()),
        Action.CONNECTION_KICKED,
        _member,
        of_room=True,
    ),
    Audited(
        members.add_room_member,
        lambda w: members.add_room_member(**w.in_room(), user_id=w.outsider.pk, role=RoomRole.VIEWER),
        Action.ROOM_MEMBER_ADDED,
        _outsider,
        of_room=True,
    ),
    Audited(
        members.change_room_member_role,
        lambda w: members.change_room_member_role(**w.room_member(), role=RoomRole.EDITOR),
        Action.ROOM_MEMBER_CHANGED,
        _outsider,
        of_room=True,
    ),
    Audited(
        members.remove_room_member,
        lambda w: members.remove_room_member(**w.room_member()),
        Action.ROOM_MEMBER_REMOVED,
        _outsider,
        of_room=True,
    ),
    Audited(
        members.dangerously_remove_room_member,
        lambda w: members.dangerously_remove_room_member(**w.room_member()),
        Action.ROOM_MEMBER_REMOVED,
        _outsider,
        of_room=True,
    ),
    Audited(
        room_organizations.delete_organization,
        lambda w: room_organizations.delete_organization(**w.here()),
        Action.ORGANIZATION_DELETED,
    ),
    Audited(
        room_organizations.remove_organization_member,
        lambda w: room_organizations.remove_organization_member(**w.membership_here()),
        Action.ORGANIZATION_MEMBER_REMOVED,
        _member,
    ),
    Audited(
        room_organizations.delete_group,
        lambda w: room_organizations.delete_group(**w.group_here()),
        Action.GROUP_DELETED,
        _group,
    ),
    Audited(
        room_organizations.erase_user,
        lambda w: room_organizations.erase_user(user=w.member),
        Action.USER_ERASED,
        _member,
    ),
    Audited(
        ownership.transfer_room,
        lambda w: (
            add_to_room(w.room, w.outsider, "viewer"),
            ownership.transfer_room(**w.in_room(), user_id=w.outsider.pk),
        ),
        Action.ROOM_TRANSFERRED,
        _outsider,
        of_room=True,
    ),
    Audited(
        ownership.leave_room,
        lambda w: (
            add_to_room(w.room, w.outsider, "viewer"),
            ownership.leave_room(actor=w.outsider, room_id=w.room.pk),
        ),
        Action.ROOM_MEMBER_REMOVED,
        _outsider,
        of_room=True,
    ),
    Audited(
        rooms.create_room,
        lambda w: setattr(w, "room", rooms.create_room(**w.here(), name="New")),
        Action.ROOM_CREATED,
        of_room=True,
    ),
    Audited(
        imports.import_room,
        lambda w: w.import_room(),
        Action.ROOM_CREATED,
        lambda w: w.boss.pk,
        of_room=True,
    ),
    Audited(
        imports.record_import, lambda w: imports.record_import(w.room), Action.ROOM_CHANGED, of_room=True
    ),
    Audited(
        rooms.update_room,
        lambda w: rooms.update_room(**w.in_room(), organization_role=RoomRole.VIEWER),
        Action.ROOM_CHANGED,
        of_room=True,
    ),
    Audited(rooms.trash_room, lambda w: rooms.trash_room(**w.in_room()), Action.ROOM_TRASHED, of_room=True),
    Audited(
        rooms.dangerously_trash_room,
        lambda w: rooms.dangerously_trash_room(**w.in_room()),
        Action.ROOM_TRASHED,
        of_room=True,
    ),
    Audited(
        rooms.restore_room, lambda w: rooms.restore_room(**w.trashed()), Action.ROOM_RESTORED, of_room=True
    ),
    Audited(
        rooms.dangerously_restore_room,
        lambda w: rooms.dangerously_restore_room(**w.trashed()),
        Action.ROOM_RESTORED,
        of_room=True,
    ),
    Audited(
        share_links.create_share_link,
        lambda w: setattr(w, "link", share_links.create_share_link(**w.in_room(), role=RoomRole.VIEWER).link),
        Action.SHARE_LINK_CREATED,
        _link,
        of_room=True,
    ),
    Audited(
        share_links.update_share_link,
        lambda w: share_links.update_share_link(**w.link_here(), role=RoomRole.EDITOR),
        Action.SHARE_LINK_CHANGED,
        _link,
        of_room=True,
    ),
    Audited(
        share_links.delete_share_link,
        lambda w: share_links.delete_share_link(**w.link_here()),
        Action.SHARE_LINK_DELETED,
        _link,
        of_room=True,
    ),
    Audited(
        share_links.dangerously_delete_share_link,
        lambda w: share_links.dangerously_delete_share_link(**w.link_here()),
        Action.SHARE_LINK_DELETED,
        _link,
        of_room=True,
    ),
    Audited(
        share_links.redeem_share_link,
        lambda w: share_links.redeem_share_link(actor=w.outsider, token=w.link.token),
        Action.SHARE_LINK_REDEEMED,
        _link,
        of_room=True,
    ),
]

_READS = "writes nothing"
_LOCKS = "locks rows, and writes nothing"
_BY_CALLER = "a part of other services, which audit what it is done for"

UNAUDITED = {
    external_users.verifier_of: _READS,
    external_users.verify_external_token: _READS,
    invitations.take_up_invitations: _BY_CALLER,
    invitations.record_taken_up: "is the auditing of `take_up_invitations`",
    locks.lock_organization: _LOCKS,
    locks.lock_organizations: _LOCKS,
    locks.lock_group: _LOCKS,
    locks.lock_active_user: _LOCKS,
    organizations.access_removable_member: _LOCKS,
    passwords.check_password_strength: _READS,
    sessions.renew_session: "carries on what a sign-in began; the end of a session that it finds is audited",
    sessions.end_all_sessions: _BY_CALLER,
    tickets.issue_ticket: "gives nothing that the token it is asked for with does not give",
    users.rename_user: "changes no access",
    room_invitations.take_up_room_invitations: _BY_CALLER,
    room_invitations.connect_signals: _READS,
    room_locks.lock: _LOCKS,
    room_locks.lock_room: _LOCKS,
    room_locks.dangerously_lock_room: _LOCKS,
    room_locks.lock_rooms: _LOCKS,
    room_locks.lock_documents: _LOCKS,
    members.keep_an_owner: _READS,
    share_links.digest_of: _READS,
}


def _name_of(service: Callable[..., Any]) -> str:
    return f"{service.__module__}.{service.__name__}"


@pytest.mark.django_db
@pytest.mark.parametrize("case", AUDITED, ids=lambda case: _name_of(case.service))
def test_service_writes_what_it_did_into_the_trail(case: Audited) -> None:
    cache.clear()  # failed sign-ins are audited once a minute
    world = World()
    case.call(world)
    entry = AuditEntry.objects.order_by("created_at", "number").last()
    assert entry is not None
    assert entry.action == case.action
    assert entry.subject_id == case.subject(world)
    assert entry.room_id == (world.room.pk if case.of_room else None)
    if case.action != Action.ORGANIZATION_CREATED:
        assert entry.organization_id == world.organization.pk


def services() -> Iterator[str]:
    """The public functions of both packages."""
    for package in (accounts.services, collab.services):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, function in inspect.getmembers(import_module(found.name), inspect.isfunction):
                if function.__module__ == found.name and not name.startswith("_"):
                    yield f"{found.name}.{name}"


def test_every_service_is_audited_or_there_is_a_reason() -> None:
    audited, unaudited = ({_name_of(case.service) for case in AUDITED}, set(map(_name_of, UNAUDITED)))
    assert audited.isdisjoint(unaudited)
    assert audited | unaudited == set(services())
    assert all(UNAUDITED.values())
