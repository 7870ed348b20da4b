"""`manage.py set_external_id`: which organization the identity provider means."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from accounts.models import Organization


class Command(BaseCommand):
    help = (
        "Give an organization the id that tokens of the identity provider name it by, so that those who come "
        "with them become its members; without an id, take it away."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("organization", type=UUID, help="its id here")
        parser.add_argument("external_id", nargs="?", help="what the claim says")

    def handle(self, *args: Any, **options: Any) -> None:
        external_id = options["external_id"] or None
        organizations = Organization.objects.filter(pk=options["organization"])
        try:
            found = organizations.update(external_id=external_id)
        except IntegrityError as error:
            raise CommandError("Another organization has this external id.") from error
        if not found:
            raise CommandError("There is no such organization.")
        self.stdout.write(f"{options['organization']} is {external_id or 'no organization'} to the provider")
