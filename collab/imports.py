"""Import of documents from the stores of other servers, each into a room of its own.

A room's id is made of the organization and the document's name, so that a second run finds the rooms of the
first, without a list that could be lost: it brings what has come since, and nothing twice. Every byte is
checked before anything is written, and a room comes whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction

from accounts.errors import DomainError
from accounts.models import User
from collab.engine.document import Document
from collab.engine.encoding import read_var_bytes
from collab.engine.errors import MalformedError, UnavailableError
from collab.engine.gate import parse_update
from collab.engine.ports import NewRow
from collab.foreign_stores import ForeignDocument, UnreadableError
from collab.models import Room, RoomRole
from collab.services.imports import import_room, record_import
from collab.store import append_rows, read_log

_MAX_NAME = Room._meta.get_field("name").max_length or 0
#: An update of version 2 is a zero and these many byte strings, and then the rest.
_V2_PARTS = 9


class ImportStatus(StrEnum):
    """What became of a document."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    IN_TRASH = "in trash"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Imported:
    """One document: its room, its bytes there, and what is to be said about it."""

    name: str
    status: ImportStatus
    room_id: UUID | None = None
    size_bytes: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the room of a document shall be."""

    name: str
    owner: User


@dataclass(frozen=True, slots=True)
class Importer:
    """Takes documents in, one after the other.

    Args:
        prefix: stands before each document's name when the room's id is made.
        name_template: the name of a room, with the document's for `{name}`.
        wanted: for some documents, by their name, another name of the room and another owner.
    """

    organization_id: UUID
    owner: User
    prefix: str = ""
    name_template: str = "{name}"
    wanted: Mapping[str, Wanted] | None = None
    organization_role: RoomRole | None = None
    is_dry_run: bool = False

    def room_id_of(self, name: str) -> UUID:
        return room_id_of(self.organization_id, self.prefix + name)

    def take_in(self, source: ForeignDocument) -> Imported:
        """Import one document; what is wrong with it is in the answer."""
        try:
            return self._take_in(source.name, _gather(source))
        except (UnreadableError, MalformedError, UnavailableError, DomainError) as error:
            return Imported(source.name, ImportStatus.REFUSED, detail=str(error))

    def _take_in(self, name: str, document: Document) -> Imported:
        room_id = self.room_id_of(name)
        status = self._create(name, room_id, document)
        if status is None:
            status = self._update(room_id, document)
        detail = "Some updates are missing: what builds on them can't be seen." if document.has_gaps else ""
        return Imported(name, status, room_id, len(document.encode()), detail)

    def _create(self, name: str, room_id: UUID, document: Document) -> ImportStatus | None:
        """Make the room; none if it is there."""
        wanted = (self.wanted or {}).get(name) or Wanted(
            self.name_template.replace("{name}", name), self.owner
        )
        room_name = _room_name(wanted.name)
        if self.is_dry_run:
            return None if Room.objects.filter(pk=room_id).exists() else ImportStatus.CREATED
        is_new = import_room(
            owner=wanted.owner,
            organization_id=self.organization_id,
            room_id=room_id,
            name=room_name,
            organization_role=self.organization_role,
            update=document.encode(),
            state_vector=document.encoded_state_vector(),
        )
        return ImportStatus.CREATED if is_new else None

    def _update(self, room_id: UUID, document: Document) -> ImportStatus:
        """Bring what the room does not have; a server that has it open reads the row from the log."""
        room = Room.objects.get(pk=room_id)
        if room.trashed_at is not None:
            return ImportStatus.IN_TRASH
        known = _stored(room_id)
        if known.contains(parse_update(document.encode())):
            return ImportStatus.UNCHANGED
        news = document.difference(known.state_vector())
        known.take_in(parse_update(news))
        _check_size(known)
        if not self.is_dry_run:
            with transaction.atomic():
                append_rows([NewRow(str(room_id), news)])
                record_import(room)
        return ImportStatus.UPDATED


def room_id_of(organization_id: UUID, name: str) -> UUID:
    """The room of an imported document: UUID version 5 of its name, within the organization's id."""
    return uuid5(organization_id, name)


def _gather(source: ForeignDocument) -> Document:
    """The whole document of what its store has.

    Raises:
        UnreadableError, MalformedError: one of its updates is none, or it is too big.
    """
    document = Document()
    for number, data in enumerate(source.read(), 1):
        if len(data) > settings.COLLAB_LIMITS.max_document_bytes:
            raise UnreadableError("It is longer than COLLAB_MAX_DOCUMENT_BYTES.")
        try:
            document.take_in(parse_update(data))
        except MalformedError as error:
            raise UnreadableError(f"Update {number} can't be taken in: {_why(data, error)}") from error
        _check_size(document)
    return document


def _check_size(document: Document) -> None:
    if document.size_bytes > settings.COLLAB_LIMITS.max_document_bytes:
        raise UnreadableError("It is longer than COLLAB_MAX_DOCUMENT_BYTES.")


def _why(data: bytes, error: MalformedError) -> str:
    if _looks_like_v2(data):
        return "it is in the v2 format; Y.convertUpdateFormatV2ToV1() makes of it what can be imported."
    return error.reason


def _looks_like_v2(data: bytes) -> bool:
    """Whether bytes that are no update of version 1 have the outline of one of version 2."""
    if data[:1] != b"\x00":
        return False
    pos = 1
    try:
        for _ in range(_V2_PARTS):
            _, pos = read_var_bytes(data, pos)
    except MalformedError:
        return False
    return True


def _room_name(name: str) -> str:
    """What the API would take as a name: no control characters, not empty, not too long."""
    name = "".join(letter if letter.isprintable() else " " for letter in name).strip()[:_MAX_NAME].strip()
    if not name:
        raise UnreadableError("It has no name that a room could have; --rooms can give it one.")
    return name


def _stored(room_id: UUID) -> Document:
    document = Document()
    part = read_log(room_id, 0)
    for update in part.updates if part else ():
        document.take_in(parse_update(update))
    return document
