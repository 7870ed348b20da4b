"""`manage.py export_audit`."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command

from accounts.audit import AuditAction, record
from accounts.services.organizations import delete_organization
from tests.factories import make_organization, make_user

pytestmark = pytest.mark.django_db


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("export_audit", *map(str, arguments), stdout=out)
    return out.getvalue()


def new_trail() -> UUID:
    organization_id = uuid4()
    for number in range(3):
        record(AuditAction.ROOM_CREATED, organization_id=organization_id, actor=None, turn=number)
    return organization_id


def test_export_to_standard_output_is_one_json_object_a_line() -> None:
    organization_id = new_trail()
    new_trail()
    lines = run("--organization", organization_id).splitlines()
    assert [json.loads(line)["details"] for line in lines] == [{"turn": 0}, {"turn": 1}, {"turn": 2}]


def test_export_to_a_file_as_csv(tmp_path: Path) -> None:
    file = tmp_path / "trail.csv"
    assert not run("--organization", new_trail(), "--format", "csv", "--output", file)
    with file.open(newline="", encoding="utf-8") as opened:
        assert [row["number"] for row in csv.DictReader(opened)] == ["1", "2", "3"]


def test_export_never_writes_over_a_file(tmp_path: Path) -> None:
    file = tmp_path / "trail"
    file.write_text("precious")
    with pytest.raises(CommandError):
        run("--organization", new_trail(), "--output", file)
    assert file.read_text() == "precious"


def test_trail_of_an_organization_that_was_deleted_is_exported() -> None:
    owner = make_user()
    organization_id = make_organization(owner=owner).pk
    delete_organization(actor=owner, organization_id=organization_id)
    assert json.loads(run("--organization", organization_id))["action"] == "organization.deleted"


def test_trail_that_is_not_there_is_refused() -> None:
    with pytest.raises(CommandError) as error:
        run("--organization", uuid4())
    assert error.value.returncode == 2
