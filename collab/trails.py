"""Reading audit trails, with the names that go with the ids: looked up now, and never kept in a trail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import AuditEntry, Group, OrganizationMember, User
from accounts.selectors import access_organization
from collab.ids import IsAnyOf
from collab.models import Room, RoomMember
from collab.selectors import access_room


class TrailFilters(TypedDict, total=False):
    """Which entries: those of one action, by one user, from `since` on, before `until`."""

    action: str
    actor: UUID
    since: datetime
    until: datetime


def trail_of(
    organization_id: UUID, room_id: UUID | None = None, **filters: Unpack[TrailFilters]
) -> QuerySet[AuditEntry]:
    """The entries of one organization, or what they say of one of its rooms. Asks for no right."""
    lookups = {"action": "action", "actor": "actor_id", "since": "created_at__gte", "until": "created_at__lt"}
    found = {lookups[name]: value for name, value in filters.items()}
    if room_id is not None:
        found["room_id"] = room_id
    return AuditEntry.objects.filter(organization_id=organization_id, **found)


def organization_trail_visible_to(
    user: User, organization_id: UUID, **filters: Unpack[TrailFilters]
) -> QuerySet[AuditEntry]:
    """The trail of an organization, for its owners and admins.

    Raises:
        NotFoundError, PermissionDeniedError: see `accounts.selectors.access_organization`.
    """
    access_organization(user, organization_id, needs="audit")
    return trail_of(organization_id, **filters)


def room_trail_visible_to(user: User, room_id: UUID, **filters: Unpack[TrailFilters]) -> QuerySet[AuditEntry]:
    """What its organization's trail says of a room, for whoever may share it.

    Raises:
        NotFoundError, PermissionDeniedError: see `selectors.access_room`.
    """
    room = access_room(user, room_id, needs="share")
    return trail_of(room.organization_id, room.pk, **filters)


class Person(TypedDict):
    """Who did something; once erased, an id and nothing else."""

    id: str
    email: str | None
    name: str | None


class NamedRoom(TypedDict):
    id: str
    name: str


class DescribedEntry(TypedDict):
    """An entry with names, as JSON has it.

    `room`: none where there is none, or it is not of the organization. `subject_name`: of a group, or of a
    user who is a member of the organization or of one of its rooms.
    """

    id: str
    number: int
    created_at: str
    action: str
    actor: Person | None
    room: NamedRoom | None
    subject_id: str | None
    subject_name: str | None
    details: dict[str, Any]
    address: str | None
    user_agent: str
    digest: str


def described(entries: Sequence[AuditEntry]) -> list[DescribedEntry]:
    """Entries of one trail with their names, in three queries however many they are."""
    if not entries:
        return []
    names = _Names(entries)
    return [
        DescribedEntry(
            id=str(entry.pk),
            number=entry.number,
            created_at=entry.created_at.isoformat().replace("+00:00", "Z"),
            action=entry.action,
            actor=names.person(entry.actor_id),
            room=names.room(entry.room_id),
            subject_id=_text(entry.subject_id),
            subject_name=names.subject(entry.subject_id),
            details=entry.details,
            address=entry.address,
            user_agent=entry.user_agent,
            digest=entry.digest,
        )
        for entry in entries
    ]


class _Names:
    """What the ids of some entries stand for now."""

    def __init__(self, entries: Sequence[AuditEntry]) -> None:
        organization_id = entries[0].organization_id
        actors, subjects, rooms = (
            {getattr(entry, name) for entry in entries} - {None}
            for name in ("actor_id", "subject_id", "room_id")
        )
        users = User.objects.filter(IsAnyOf("pk", actors | subjects))
        member = OrganizationMember.objects.filter(organization=organization_id, user=OuterRef("pk"))
        room_member = RoomMember.objects.filter(room__organization=organization_id, user=OuterRef("pk"))
        known = users.annotate(is_known_here=Q(Exists(member)) | Q(Exists(room_member)))
        rows = known.values_list("pk", "email", "name", "is_known_here")
        self._people = {pk: (email, name, is_known_here) for pk, email, name, is_known_here in rows}
        groups = Group.objects.filter(IsAnyOf("pk", subjects), organization=organization_id)
        self._groups = dict(groups.values_list("pk", "name"))
        own_rooms = Room.objects.filter(IsAnyOf("pk", rooms), organization=organization_id)
        self._rooms = dict(own_rooms.values_list("pk", "name"))

    def person(self, user_id: UUID | None) -> Person | None:
        if user_id is None:
            return None
        email, name, _ = self._people.get(user_id, (None, None, False))
        return Person(id=str(user_id), email=email, name=name)

    def room(self, room_id: UUID | None) -> NamedRoom | None:
        name = None if room_id is None else self._rooms.get(room_id)
        return None if name is None else NamedRoom(id=str(room_id), name=name)

    def subject(self, subject_id: UUID | None) -> str | None:
        if subject_id is None:
            return None
        _, name, is_known_here = self._people.get(subject_id, (None, None, False))
        return name if is_known_here else self._groups.get(subject_id)


def _text(known: UUID | None) -> str | None:
    return None if known is None else str(known)
