"""`manage.py verify_audit`: what it prints, what it is given back, and how it exits."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command

from accounts.audit import AuditAction, record
from accounts.models import AuditChain

pytestmark = pytest.mark.django_db


def new_trail(length: int = 2) -> UUID:
    organization_id = uuid4()
    for _ in range(length):
        record(AuditAction.ROOM_CREATED, organization_id=organization_id, actor=None)
    return organization_id


def damaged_trail() -> UUID:
    organization_id = new_trail()
    AuditChain.objects.filter(pk=organization_id).update(number=7)
    return organization_id


def run(*arguments: object) -> tuple[int, list[str]]:
    """The exit status and the lines that were printed."""
    out = StringIO()
    try:
        call_command("verify_audit", *map(str, arguments), stdout=out, stderr=StringIO())
    except SystemExit as end:
        return int(end.code or 0), out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def line_of(organization_id: UUID) -> str:
    chain = AuditChain.objects.get(pk=organization_id)
    return f"{organization_id} {chain.number} {chain.digest}"


def test_trails_that_are_whole_have_their_ends_printed_and_exit_0() -> None:
    one, other = sorted([new_trail(), new_trail(3)])
    assert run() == (0, [line_of(one), line_of(other), "# 2 trails, 5 entries; damaged: 0"])


def test_no_trails_at_all_exit_0() -> None:
    assert run() == (0, ["# 0 trails, 0 entries; damaged: 0"])


def test_trail_that_is_damaged_is_named_and_exits_1() -> None:
    whole, damaged = new_trail(), damaged_trail()
    status, lines = run()
    assert status == 1
    assert f"# {damaged} cut_off 3-7: The last entries are missing." in lines
    assert line_of(whole) in lines
    assert not [line for line in lines if line.startswith(str(damaged))]
    assert lines[-1] == "# 2 trails, 4 entries; damaged: 1"


def test_trail_of_one_organization_is_all_that_is_looked_at() -> None:
    whole, damaged = new_trail(), damaged_trail()
    assert run("--organization", whole)[0] == 0
    assert run("--organization", damaged)[0] == 1


def test_output_given_back_is_what_is_expected(tmp_path: Path) -> None:
    grown, gone = new_trail(), new_trail()
    kept = tmp_path / "kept"
    kept.write_text("\n".join(run()[1]))
    record(AuditAction.ROOM_CREATED, organization_id=grown, actor=None)
    assert run("--expect", kept)[0] == 0
    kept.write_text(f"{kept.read_text()}\n{uuid4()} 3 {'0' * 64}\n")
    status, lines = run("--expect", kept)
    assert status == 1
    assert lines[-1] == "# 3 trails, 5 entries; damaged: 1"
    assert run("--expect", kept, "--organization", gone)[0] == 0


def test_digest_given_back_is_expected_of_one_organization() -> None:
    organization_id = new_trail()
    digest = AuditChain.objects.get().digest
    assert run("--organization", organization_id, "--expect", digest)[0] == 0
    assert run("--organization", organization_id, "--expect", "0" * 64)[0] == 1


@pytest.mark.parametrize(
    "text", ["nonsense", f"{UUID(int=0)} 3", f"x 3 {'0' * 64}", f"{UUID(int=0)} -3 {'0' * 64}", "\udcff"]
)
def test_what_is_no_end_is_refused(text: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text(text, errors="surrogateescape")
    with pytest.raises(CommandError) as error:
        run("--expect", kept)
    assert error.value.returncode == 2


def test_digest_of_no_organization_and_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    for expected in ("0" * 64, tmp_path / "missing"):
        with pytest.raises(CommandError):
            run("--expect", expected)
    with pytest.raises(CommandError):
        run("--organization", "x")
