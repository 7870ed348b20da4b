"""`manage.py load_demo`: people, rooms and a document to try things out with."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from backend.demo import LAUNCH_NOTES, PASSWORD, PEOPLE, load_demo


class Command(BaseCommand):
    help = "Load the demo data, once, and print how to sign in. Only in development (DEBUG=1)."

    def handle(self, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo accounts have a public password: load_demo needs DEBUG=1.")
        settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"  # nobody there reads mail
        room = load_demo()
        host, port = settings.ENVIRONMENT.host, settings.ENVIRONMENT.port
        width = max(len(person.email) for person in PEOPLE)
        people = "\n".join(f"    {person.email:<{width}}   {person.about}" for person in PEOPLE)
        self.stdout.write(
            f"\nSign in with the password {PASSWORD} as\n{people}\n\n"
            f"Open      http://{host}:{port}/            the page: rooms and their editors\n"
            f"          http://{host}:{port}/api/docs/   the REST API, to try out\n"
            f"          http://{host}:{port}/admin/      the tables, as {PEOPLE[0].email}\n"
            f"Connect   ws://{host}:{port}/ws/{room.pk}?token=…   “{LAUNCH_NOTES}”\n"
            f"          ws://{host}:{port}/collaboration   Hocuspocus, with {room.pk} as the name\n"
            "The README has the lines that get a token, share the room and open an editor.\n"
        )
