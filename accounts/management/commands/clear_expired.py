"""`manage.py clear_expired`: sessions, tickets and refresh tokens that are good for nothing any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts.models import Session, Ticket

#: Rows in one transaction.
BATCH = 1000


class Command(BaseCommand):
    help = (
        "Delete expired sessions, tickets and refresh tokens. May run at any time, while servers do; "
        "once a day is enough."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        # The last access token of a session may outlive its last refresh token.
        lifetime = cast("timedelta", settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"])
        session_end = now - lifetime
        expired = {
            "tickets": Ticket.objects.filter(token_expires_at__lt=now),
            "sessions": Session.objects.filter(expires_at__lt=session_end),
            "refresh tokens": OutstandingToken.objects.filter(expires_at__lt=now),
        }
        for name, rows in expired.items():
            self.stdout.write(f"{_delete(rows)} {name} deleted")


def _delete(rows: QuerySet[Any]) -> int:
    """Delete in small transactions; give the number of rows."""
    deleted = 0
    while ids := list(rows.order_by().values_list("pk", flat=True)[:BATCH]):
        rows.model._default_manager.filter(pk__in=ids).delete()
        deleted += len(ids)
    return deleted
