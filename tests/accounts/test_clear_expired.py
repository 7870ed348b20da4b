"""`manage.py clear_expired`: what is good for nothing goes, everything else stays."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.management.commands import clear_expired
from accounts.models import Origin, Session, Ticket
from accounts.services.sessions import begin_session, renew_session
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_what_has_expired_is_deleted_and_the_rest_stays(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clear_expired, "BATCH", 2)
    now, user = timezone.now(), make_user()
    access = settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"]
    minute = timedelta(minutes=1)
    kept = [
        Session.objects.create(user=user, expires_at=end) for end in (now + minute, now - access + minute)
    ]
    for _ in range(5):
        Session.objects.create(user=user, expires_at=now - access - minute)
    used = {"user": user, "room_id": uuid4(), "expires_at": now - minute, "used_at": now}
    ticket = Ticket.objects.create(digest="a", token_expires_at=now + minute, **used)
    Ticket.objects.create(digest="b", token_expires_at=now - minute, **used)
    token = begin_session(user=user)
    renew_session(refresh=str(token), origin=Origin())
    begin_session(user=user)
    OutstandingToken.objects.filter(jti=token["jti"]).update(expires_at=now - minute)

    call_command("clear_expired")

    assert set(kept) < set(Session.objects.all())
    assert Session.objects.count() == 4
    assert list(Ticket.objects.all()) == [ticket]
    assert (OutstandingToken.objects.count(), BlacklistedToken.objects.count()) == (2, 0)
    assert capsys.readouterr().out.splitlines() == [
        "1 tickets deleted",
        "5 sessions deleted",
        "1 refresh tokens deleted",
    ]
