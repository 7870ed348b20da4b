"""The audit trail: numbered without holes, chained, apart for each organization, and only ever added to."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.audit import AuditAction, digest_of, record
from accounts.models import AppendOnlyError, AuditEntry, Origin
from accounts.origins import origin_of_request
from tests.factories import make_user, run_together


@pytest.mark.django_db
def test_record_by_someone_keeps_who_what_whom_and_from_where() -> None:
    ada, organization_id, room_id, subject_id = make_user(), uuid4(), uuid4(), uuid4()
    ada.origin = Origin("2001:db8::7", "Firefox")
    record(
        AuditAction.ROOM_MEMBER_ADDED,
        organization_id=organization_id,
        actor=ada,
        room_id=room_id,
        subject_id=subject_id,
        role="editor",
    )
    entry = AuditEntry.objects.get()
    assert (entry.number, entry.action, entry.actor_id) == (1, "room.member.added", ada.pk)
    assert (entry.room_id, entry.subject_id, entry.details) == (room_id, subject_id, {"role": "editor"})
    assert (entry.address, entry.user_agent) == ("2001:db8::7", "Firefox")


@pytest.mark.django_db
def test_record_in_two_organizations_numbers_each_for_itself() -> None:
    one, other = uuid4(), uuid4()
    for organization_id in (one, other, one):
        record(AuditAction.ROOM_CREATED, organization_id=organization_id, actor=None)
    for organization_id, numbers in ((one, [1, 2]), (other, [1])):
        entries = AuditEntry.objects.filter(organization_id=organization_id).order_by("number")
        assert [entry.number for entry in entries] == numbers
        previous = ""
        for entry in entries:
            assert entry.digest == digest_of(entry, previous)
            previous = entry.digest


@pytest.mark.django_db(transaction=True)
def test_record_by_many_at_once_leaves_no_hole() -> None:
    organization_id = uuid4()
    write = partial(record, AuditAction.ROOM_CREATED, organization_id=organization_id, actor=None)
    results = run_together(*[write] * 6)
    assert all(isinstance(result, AuditEntry) for result in results), results
    assert list(AuditEntry.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]


@pytest.mark.django_db
def test_entry_that_was_written_is_not_changed_and_not_deleted() -> None:
    entry = record(AuditAction.ROOM_CREATED, organization_id=uuid4(), actor=None)
    entries = AuditEntry.objects.all()
    entry.action = "room.trashed"
    for attempt in (
        entry.save,
        entry.delete,
        entries.delete,
        partial(entries.update, action="room.trashed"),
        partial(entries.bulk_update, [entry], ["action"]),
        partial(AuditEntry.objects.update_or_create, pk=entry.pk, defaults={"action": "room.trashed"}),
    ):
        with pytest.raises(AppendOnlyError):
            attempt()
    assert AuditEntry.objects.get().action == "room.created"


@pytest.mark.django_db
def test_entry_with_the_id_of_another_does_not_take_its_place() -> None:
    entry = record(AuditAction.ROOM_CREATED, organization_id=uuid4(), actor=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEntry(pk=entry.pk, organization_id=uuid4(), number=1, created_at=timezone.now()).save()
    assert AuditEntry.objects.get().action == "room.created"


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only PostgreSQL has the trigger.")
@pytest.mark.parametrize("statement", ["UPDATE {} SET action = 'room.trashed'", "DELETE FROM {}"])
def test_entry_is_not_changed_by_sql_either(statement: str) -> None:
    record(AuditAction.ROOM_CREATED, organization_id=uuid4(), actor=None)
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(AuditEntry._meta.db_table))
    assert AuditEntry.objects.get().action == "room.created"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("2001:0DB8:0:0::7", "2001:db8::7"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        ("unix:", None),
        ("192.0.2.1:80", None),
    ],
)
@pytest.mark.parametrize("user_agent", ["", "Firefox\0", "\x00\x7f\xff\n\\\"'" * 60, " é "])
def test_entry_read_again_has_the_same_digest_from_wherever_it_came(
    address: str, kept: str | None, user_agent: str, rf
) -> None:
    ada = make_user()
    request = rf.get("/", REMOTE_ADDR=address, HTTP_USER_AGENT=user_agent)
    ada.origin = origin_of_request(request)
    record(AuditAction.ROOM_CREATED, organization_id=uuid4(), actor=ada, count=1, is_odd=True, none=None)
    entry = AuditEntry.objects.get()
    assert entry.address == kept
    assert entry.digest == digest_of(entry, "")
