"""The demo's people, rooms and document: enough to sign in, share, revoke and see what happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pycrdt
from django.db import transaction

from accounts.models import OrganizationRole, User
from accounts.services.organizations import add_organization_member, create_organization
from collab.engine.gate import parse_update
from collab.engine.ports import NewRow
from collab.models import Room, RoomRole
from collab.services.members import add_room_member
from collab.services.rooms import create_room, update_room
from collab.store import append_rows

PASSWORD = "gatehouse-demo"  # noqa: S105 - printed at the start; never loaded in production

PRESS, LABS = "Northwind Press", "Harbor Labs"
LAUNCH_NOTES = "Launch notes"


@dataclass(frozen=True, slots=True)
class Person:
    """Someone in the demo, and what there is to see with their eyes."""

    email: str
    name: str
    about: str


ADA = Person("ada@example.com", "Ada Okafor", f"owns {PRESS}, and may open /admin/")
BEN = Person("ben@example.com", "Ben Castellanos", f"edits “{LAUNCH_NOTES}”")
CLEO = Person("cleo@example.com", "Cleo Lindqvist", f"reads “{LAUNCH_NOTES}”")
DAN = Person("dan@example.com", "Dan Iyer", f"owns {LABS}, and sees nothing of {PRESS}")
PEOPLE = (ADA, BEN, CLEO, DAN)


@transaction.atomic
def load_demo() -> Room:
    """Make two organizations, four people and their rooms, once; give the room with the document."""
    existing = Room.objects.filter(name=LAUNCH_NOTES, organization__name=PRESS).first()
    if existing is not None:
        return existing
    ada, ben, cleo, dan = (_make_user(person) for person in PEOPLE)
    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)

    press = create_organization(owner=ada, name=PRESS)
    for person, role in ((ben, OrganizationRole.MEMBER), (cleo, OrganizationRole.GUEST)):
        add_organization_member(actor=ada, organization_id=press.pk, email=person.email, role=role)
    launch = create_room(actor=ada, organization_id=press.pk, name=LAUNCH_NOTES, kind="rich-text")
    add_room_member(actor=ada, room_id=launch.pk, role=RoomRole.EDITOR, user_id=ben.pk)
    add_room_member(actor=ada, room_id=launch.pk, role=RoomRole.VIEWER, user_id=cleo.pk)
    style = create_room(actor=ada, organization_id=press.pk, name="House style", kind="rich-text")
    update_room(actor=ada, room_id=style.pk, organization_role=RoomRole.VIEWER)

    labs = create_organization(owner=dan, name=LABS)
    create_room(actor=dan, organization_id=labs.pk, name="Tide table", kind="code")

    update = launch_notes()
    parse_update(update)
    append_rows([NewRow(str(launch.pk), update)])
    return launch


def _make_user(person: Person) -> User:
    user = User.objects.filter(email=person.email).first()
    return user or User.objects.create_user(person.email, PASSWORD, name=person.name)


Marked = str | tuple[str, dict[str, Any]]


def launch_notes() -> bytes:
    """A rich-text document as a Yjs update: what Tiptap's Collaboration extension calls `default`."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    page = doc.get("default", type=pycrdt.XmlFragment)
    with doc.transaction():
        _heading(page, 1, "Launch notes")
        _paragraph(
            page,
            "Everyone in this room edits ",
            ("one document", {"bold": {}}),
            ". Open it twice, type in both windows, then take someone's access away: "
            "their window closes before the next keystroke arrives.",
        )
        _heading(page, 2, "Before we open the doors")
        tasks = _append(page, "taskList")
        for is_done, text in (
            (True, "Agree on the name"),
            (True, "Ask Cleo to read it through — she may read, not write"),
            (False, "Send Ben the numbers 📈"),
            (False, "Write the part about Ærøskøbing, 東京 and القاهرة"),
        ):
            item = _append(tasks, "taskItem", checked=is_done)
            _paragraph(item, text)
        _heading(page, 2, "What we promise")
        promises = _append(page, "bulletList")
        for lead, rest in (
            ("Saved means saved.", " An acknowledged change is in the database."),
            ("Revoked means now.", " Not at the next reconnect."),
            ("Yours alone.", " No other organization can tell that this room exists."),
        ):
            item = _append(promises, "listItem")
            _paragraph(item, (lead, {"bold": {}}), rest)
        quote = _append(page, "blockquote")
        _paragraph(quote, ("A room is a name, its members, and one document.", {"italic": {}}))
    return doc.get_update()


def _append(parent: Any, tag: str, **attributes: Any) -> Any:
    """Add an element; an attribute may be any JSON value."""
    return parent.children.append(pycrdt.XmlElement(tag, attributes))


def _heading(parent: Any, level: int, text: str) -> None:
    _append(parent, "heading", level=level).children.append(pycrdt.XmlText(text))


def _paragraph(parent: Any, *parts: Marked) -> None:
    text = _append(parent, "paragraph").children.append(pycrdt.XmlText())
    end = 0
    for part in parts:
        content, marks = part if isinstance(part, tuple) else (part, None)
        text.insert(end, content, marks)
        end += len(content.encode())  # pycrdt counts in bytes of UTF-8
