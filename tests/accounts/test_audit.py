"""The audit trail: numbered without holes, chained, and apart for each organization."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

import pytest

from accounts.audit import AuditAction, digest_of, record
from accounts.models import AuditEntry, Origin
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
