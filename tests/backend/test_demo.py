"""The demo data, which `make run` loads every time."""

from __future__ import annotations

from io import StringIO

import pycrdt
import pytest
from django.core.management import CommandError, call_command

from accounts.models import Organization, User
from backend.demo import BEN, CLEO, DAN, PASSWORD, load_demo
from collab.models import Room
from collab.policies import access_for
from collab.store import read_log

pytestmark = pytest.mark.django_db


def test_demo_loaded_twice_is_there_once() -> None:
    assert load_demo() == load_demo()
    assert Organization.objects.count() == 2
    assert User.objects.count() == 4
    assert Room.objects.count() == 3


def test_demo_people_have_the_roles_that_are_told() -> None:
    room = load_demo()
    roles = {
        person.email: access_for(User.objects.get(email=person.email), room).role
        for person in (BEN, CLEO, DAN)
    }
    assert roles == {BEN.email: "editor", CLEO.email: "viewer", DAN.email: None}


def test_demo_document_is_in_the_log() -> None:
    part = read_log(load_demo().pk, 0)
    assert part is not None
    doc: pycrdt.Doc = pycrdt.Doc()
    doc.apply_update(part.updates[0])
    assert "<taskItem" in str(doc.get("default", type=pycrdt.XmlFragment))


def test_load_demo_prints_how_to_sign_in(settings: pytest.FixtureRequest) -> None:
    settings.DEBUG = True
    out = StringIO()
    call_command("load_demo", stdout=out)
    assert PASSWORD in out.getvalue()
    assert str(load_demo().pk) in out.getvalue()


def test_load_demo_in_production_is_refused() -> None:
    with pytest.raises(CommandError, match="DEBUG=1"):
        call_command("load_demo")
    assert not User.objects.exists()
