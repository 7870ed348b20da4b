"""`manage.py import_documents`: the documents of another server, each into a room."""

from __future__ import annotations

import csv
import json
import os
import sys
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.errors import DomainError
from accounts.models import Organization, OrganizationRole, User
from accounts.selectors import access_organization, get_active_user
from collab.foreign_stores import (
    ForeignStore,
    HocuspocusSqlite,
    JsonLines,
    Query,
    StoreError,
    YpyFiles,
    YpySqlite,
)
from collab.imports import Imported, Importer, ImportStatus, Wanted
from collab.management.progress import Progress
from collab.models import SHARED_ROLES, RoomRole

_FILES: dict[str, Callable[[Path], ForeignStore]] = {
    "hocuspocus-sqlite": HocuspocusSqlite,
    "ypy-sqlite": YpySqlite,
    "ypy-file": YpyFiles,
    "updates": JsonLines,
}
_DATABASE = "hocuspocus-database"


class Command(BaseCommand):
    help = (
        "Import stored Yjs documents of Hocuspocus, y-websocket or ypy-websocket, each into a room. May be "
        "interrupted and run again: then it brings what is new. Exit status 1 if a document was refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        kinds = [*_FILES, _DATABASE]
        parser.add_argument("--from", dest="kind", choices=kinds, required=True, help="whose store it is")
        parser.add_argument(
            "store", nargs="?", help=f"the file or directory; for {_DATABASE} the URL, else DOCUMENTS_URL"
        )
        parser.add_argument(
            "--query",
            default="SELECT name, data FROM documents",
            help=f"for {_DATABASE}: gives the name and the bytes (%(default)s)",
        )
        parser.add_argument("--organization", type=_uuid, required=True, metavar="ID", help="gets the rooms")
        parser.add_argument(
            "--owner", metavar="EMAIL", help="of the rooms; else the organization's first owner"
        )
        parser.add_argument(
            "--organization-role",
            choices=[role for role, _ in SHARED_ROLES],
            help="what every member of the organization is in the rooms",
        )
        parser.add_argument(
            "--name-template", default="{name}", metavar="TEXT", help="the room's name (%(default)s)"
        )
        parser.add_argument(
            "--rooms", type=Path, metavar="CSV", help="with a header: document, name and, if given, owner"
        )
        parser.add_argument(
            "--prefix", default="", metavar="TEXT", help="keeps apart stores that use the same names"
        )
        parser.add_argument("--dry-run", action="store_true", help="read and check everything, write nothing")
        parser.add_argument(
            "--json", action="store_true", help="a JSON object a line; the last is the summary"
        )

    def handle(self, *, kind: str, **options: Any) -> None:
        importer = _importer(options)
        counts = Counter[str]()
        is_whole = False
        try:
            store = _open(kind, options["store"], options["query"])
            total = store.count()
            progress = Progress(self.stderr, total, "documents")
            try:
                for source in store:
                    imported = importer.take_in(source)
                    counts[imported.status.value] += 1
                    progress.advance()
                    if options["json"] or options["verbosity"] > 1 or imported.detail:
                        progress.clear()
                        self.stdout.write(_as_json(imported) if options["json"] else _as_text(imported))
                is_whole = True
            except KeyboardInterrupt:
                progress.clear()
                self.stderr.write(f"Interrupted; {total - counts.total()} documents were not looked at.")
            progress.clear()
        except StoreError as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(_summary(counts, is_json=options["json"], is_dry_run=importer.is_dry_run))
        if not is_whole or counts[ImportStatus.REFUSED]:
            sys.exit(1)


def _importer(options: dict[str, Any]) -> Importer:
    """What the options say, checked.

    Raises:
        CommandError: no such organization or owner, or they may make no rooms; exit status 2.
    """
    organization_id = options["organization"]
    role = options["organization_role"]
    try:
        owner = _owner(organization_id, options["owner"])
        wanted = _read_rooms(organization_id, options["rooms"], owner) if options["rooms"] else {}
    except DomainError as error:
        raise CommandError(str(error), returncode=2) from error
    return Importer(
        organization_id,
        owner,
        prefix=options["prefix"],
        name_template=options["name_template"],
        wanted=wanted,
        organization_role=RoomRole(role) if role else None,
        is_dry_run=options["dry_run"],
    )


def _owner(organization_id: UUID, email: str | None) -> User:
    """Who gets the rooms.

    Raises:
        CommandError, DomainError: there is no such organization, no such account in it, or it is a guest's.
    """
    organization = Organization.objects.filter(pk=organization_id).first()
    if organization is None:
        raise CommandError(f"There is no organization {organization_id}.", returncode=2)
    if email is None:
        owners = organization.members.filter(role=OrganizationRole.OWNER, user__is_active=True)
        first = owners.select_related("user").order_by("created_at").first()
        if first is None or first.user is None:
            raise CommandError("The organization has no active owner: give --owner.", returncode=2)
        return first.user
    try:
        user = get_active_user(email=email)
        access_organization(user, organization_id, needs="create_rooms")
    except DomainError as error:
        raise CommandError(f"{email} can't own rooms of this organization: {error}", returncode=2) from error
    return user


def _read_rooms(organization_id: UUID, path: Path, owner: User) -> dict[str, Wanted]:
    owners: dict[str, User] = {"": owner}
    wanted = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                email = (row.get("owner") or "").strip()
                if email not in owners:
                    owners[email] = _owner(organization_id, email)
                wanted[row["document"]] = Wanted(row["name"], owners[email])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} can't be read: {error}", returncode=2) from error
    except KeyError as error:
        raise CommandError(f"{path} has no column {error}.", returncode=2) from error
    return wanted


def _open(kind: str, store: str | None, query: str) -> ForeignStore:
    if kind == _DATABASE:
        # From the environment, because arguments can be seen by everybody on the machine.
        url = store or os.environ.get("DOCUMENTS_URL")
        if not url:
            raise CommandError("Give the database's URL, or set DOCUMENTS_URL.", returncode=2)
        return Query(url, query)
    if not store:
        raise CommandError("Give the file or directory to import from.", returncode=2)
    return _FILES[kind](Path(store))


def _as_json(imported: Imported) -> str:
    return json.dumps(
        {
            "document": imported.name,
            "status": imported.status.value,
            "room": str(imported.room_id) if imported.room_id else None,
            "bytes": imported.size_bytes,
            "detail": imported.detail,
        }
    )


def _as_text(imported: Imported) -> str:
    room = f" {imported.room_id}" if imported.room_id else ""
    return f"{imported.status.value}  {imported.name!r}{room}{imported.detail and ': ' + imported.detail}"


def _summary(counts: Counter[str], *, is_json: bool, is_dry_run: bool) -> str:
    if is_json:
        found = {status.value: counts[status.value] for status in ImportStatus}
        return json.dumps({"summary": {"documents": counts.total(), "dry_run": is_dry_run, **found}})
    parts = [f"{count} {status}" for status, count in sorted(counts.items())]
    note = "; nothing was written" if is_dry_run else ""
    return f"{counts.total()} documents: {', '.join(parts) or 'none'}{note}"


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise ArgumentTypeError("expected an id like 6a1f…") from None
