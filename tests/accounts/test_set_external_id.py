"""`manage.py set_external_id`."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from tests.factories import make_organization

pytestmark = pytest.mark.django_db


def test_unknown_organization_and_taken_id_are_refused() -> None:
    with pytest.raises(CommandError, match="no such"):
        call_command("set_external_id", str(uuid4()), "engines")
    one, other = make_organization(), make_organization()
    call_command("set_external_id", str(one.pk), "engines")
    with pytest.raises(CommandError, match="Another"), transaction.atomic():
        call_command("set_external_id", str(other.pk), "engines")


def test_id_is_given_and_taken_away() -> None:
    organization = make_organization()
    for arguments, expected in ((["engines"], "engines"), ([], None)):
        call_command("set_external_id", str(organization.pk), *arguments)
        organization.refresh_from_db()
        assert organization.external_id == expected
