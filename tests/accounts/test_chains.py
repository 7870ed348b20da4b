"""Whether audit trails are what was written: whatever somebody does to the rows is found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from accounts import chains
from accounts.audit import AuditAction, digest_of, record
from accounts.chains import FindingKind, KeptEnd, Walk, organizations_with_trails
from accounts.models import AuditChain, AuditEntry

pytestmark = pytest.mark.django_db

SOMEBODY = uuid4()


def new_trail(length: int = 5) -> UUID:
    organization_id = uuid4()
    for number in range(length):
        record(AuditAction.ROOM_CREATED, organization_id=organization_id, actor=None, turn=number)
    return organization_id


@contextmanager
def entries_of(organization_id: UUID) -> Iterator[QuerySet[AuditEntry]]:
    """The rows as whoever owns the table can change them."""
    table, is_guarded = AuditEntry._meta.db_table, connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if is_guarded:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield QuerySet(AuditEntry).filter(organization_id=organization_id)
        if is_guarded:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def write_anew(organization_id: UUID) -> None:
    """Compute all digests again, and the end."""
    digest = ""
    with entries_of(organization_id) as entries:
        for entry in entries.order_by("number"):
            digest = digest_of(entry, digest)
            entries.filter(pk=entry.pk).update(digest=digest)
    AuditChain.objects.filter(pk=organization_id).update(number=entry.number, digest=digest)


def cut_off(organization_id: UUID, last: int) -> None:
    """Take the entries after `last` away, and make that the end."""
    with entries_of(organization_id) as entries:
        entries.filter(number__gt=last).delete()
        digest = entries.get(number=last).digest
    AuditChain.objects.filter(pk=organization_id).update(number=last, digest=digest)


def found(organization_id: UUID, *kept: KeptEnd) -> list[tuple[str, int, int]]:
    return [(each.kind.value, each.first, each.last) for each in Walk(organization_id).findings(kept)]


def end_of(organization_id: UUID) -> KeptEnd:
    chain = AuditChain.objects.get(pk=organization_id)
    return KeptEnd(chain.number, chain.digest)


def test_trail_that_nobody_touched_has_no_findings_and_tells_its_end() -> None:
    organization_id = new_trail()
    new_trail()
    walk = Walk(organization_id)
    looked_at: list[int] = []
    assert list(walk.findings(advance=looked_at.append)) == []
    assert KeptEnd(walk.number, walk.digest) == end_of(organization_id)
    assert looked_at == [5]


def test_trail_longer_than_what_is_read_at_a_time_is_walked_in_parts(monkeypatch) -> None:
    monkeypatch.setattr(chains, "_CHUNK", 2)
    organization_id = new_trail()
    looked_at: list[int] = []
    assert list(Walk(organization_id).findings(advance=looked_at.append)) == []
    assert looked_at == [2, 2, 1]


def test_trail_that_grows_while_it_is_walked_is_walked_to_its_end() -> None:
    organization_id = new_trail()
    walk = Walk(organization_id)

    def write_another(_: int) -> None:
        if AuditEntry.objects.count() < 8:
            record(AuditAction.ROOM_TRASHED, organization_id=organization_id, actor=None)

    assert list(walk.findings(advance=write_another)) == []
    assert walk.number == 8


@pytest.mark.parametrize(
    "change",
    [
        {"action": "room.trashed"},
        {"actor_id": SOMEBODY},
        {"room_id": SOMEBODY},
        {"subject_id": SOMEBODY},
        {"details": {"turn": 7}},
        {"details": {}},
        {"address": "192.0.2.1"},
        {"user_agent": "curl"},
        {"created_at": timezone.now() - timedelta(days=1)},
        {"digest": "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_entry_that_was_changed_is_found(change: dict[str, object]) -> None:
    organization_id = new_trail()
    with entries_of(organization_id) as entries:
        entries.filter(number=3).update(**change)
    assert ("changed", 3, 3) in found(organization_id)


def test_entry_that_was_changed_with_its_digest_shows_in_the_next_one() -> None:
    organization_id = new_trail()
    with entries_of(organization_id) as entries:
        entries.filter(number=3).update(action="room.trashed")
        previous, changed = entries.get(number=2), entries.get(number=3)
        entries.filter(number=3).update(digest=digest_of(changed, previous.digest))
    assert found(organization_id) == [("changed", 4, 4)]


def test_entries_that_were_taken_out_are_found() -> None:
    organization_id = new_trail()
    with entries_of(organization_id) as entries:
        entries.filter(number__in=[1, 3, 4]).delete()
    assert found(organization_id) == [("hole", 1, 1), ("hole", 3, 4)]


def test_entries_that_were_taken_out_and_the_rest_numbered_anew_are_found() -> None:
    organization_id = new_trail()
    with entries_of(organization_id) as entries:
        entries.filter(number=3).delete()
        entries.filter(number=4).update(number=3)
        entries.filter(number=5).update(number=4)
    assert found(organization_id) == [("changed", 3, 3), ("changed", 4, 4), ("cut_off", 5, 5)]


def test_entry_from_another_trail_is_found() -> None:
    organization_id, other_id = new_trail(), new_trail(6)
    with entries_of(other_id) as others:
        others.filter(number=6).update(organization_id=organization_id)
    assert found(organization_id) == [("changed", 6, 6), ("end_behind", 6, 6)]
    assert found(other_id) == [("cut_off", 6, 6)]


def test_entry_before_the_first_is_found() -> None:
    organization_id, other_id = new_trail(), new_trail(1)
    with entries_of(other_id) as others:
        others.update(organization_id=organization_id, number=0)
    assert found(organization_id) == [("changed", 0, 0)]


def test_last_entries_that_are_missing_are_found() -> None:
    organization_id = new_trail()
    with entries_of(organization_id) as entries:
        entries.filter(number__gt=3).delete()
    assert found(organization_id) == [("cut_off", 4, 5)]


def test_all_entries_that_are_missing_are_found() -> None:
    organization_id = new_trail()
    with entries_of(organization_id) as entries:
        entries.delete()
    assert found(organization_id) == [("cut_off", 1, 5)]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"number": 4}, (FindingKind.END_BEHIND, 5, 5)),
        ({"digest": "0" * 64}, (FindingKind.END_WRONG, 5, 5)),
        (None, (FindingKind.END_MISSING, 5, 5)),
    ],
)
def test_end_that_is_not_that_of_the_last_entry_is_found(change, finding) -> None:
    organization_id = new_trail()
    end = AuditChain.objects.filter(pk=organization_id)
    if change:
        end.update(**change)
    else:
        end.delete()
    assert found(organization_id) == [finding]
    assert organization_id in set(organizations_with_trails())


def test_tail_that_was_cut_off_with_the_end_shows_only_by_an_end_that_was_kept() -> None:
    organization_id = new_trail()
    early, late = KeptEnd(2, AuditEntry.objects.get(number=2).digest), end_of(organization_id)
    cut_off(organization_id, 3)
    assert found(organization_id) == []
    assert found(organization_id, early) == []
    assert found(organization_id, early, late) == [("not_as_kept", 5, 5)]
    assert found(organization_id, KeptEnd(None, late.digest)) == [("not_as_kept", 3, 3)]


def test_trail_that_was_written_anew_shows_only_by_an_end_that_was_kept() -> None:
    organization_id = new_trail()
    kept = end_of(organization_id)
    with entries_of(organization_id) as entries:
        entries.filter(number=3).update(action="room.trashed")
    write_anew(organization_id)
    assert found(organization_id) == []
    assert found(organization_id, kept) == [("not_as_kept", 5, 5)]
    assert found(organization_id, KeptEnd(None, kept.digest)) == [("not_as_kept", 5, 5)]


def test_trail_that_has_grown_has_come_by_the_end_that_was_kept() -> None:
    organization_id = new_trail()
    kept = end_of(organization_id)
    record(AuditAction.ROOM_TRASHED, organization_id=organization_id, actor=None)
    assert found(organization_id, kept, KeptEnd(None, kept.digest)) == []


def test_organizations_with_trails_are_all_read_in_parts(monkeypatch) -> None:
    monkeypatch.setattr(chains, "_CHUNK", 2)
    ids = {new_trail(1) for _ in range(5)}
    assert set(organizations_with_trails()) == ids
