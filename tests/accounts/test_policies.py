"""What each role in an organization may do."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from accounts.models import OrganizationRole
from accounts.policies import organization_abilities


def abilities_of(role: str | None) -> set[str]:
    return {name for name, allowed in asdict(organization_abilities(role)).items() if allowed}


def test_abilities_without_a_role_are_none() -> None:
    assert abilities_of(None) == set()


def test_abilities_of_a_guest_are_to_read() -> None:
    assert abilities_of("guest") == {"read"}


def test_abilities_of_a_member_leave_members_and_name_alone() -> None:
    assert abilities_of("member") == {"read", "list_members", "create_rooms"}


def test_abilities_of_an_admin_leave_owners_and_deletion_alone() -> None:
    assert abilities_of("owner") - abilities_of("admin") == {"manage_owners", "delete"}


@pytest.mark.parametrize("role", OrganizationRole.values)
def test_abilities_of_every_role_include_those_of_the_weaker(role: str) -> None:
    weaker = OrganizationRole.values[OrganizationRole.values.index(role) :]
    assert all(abilities_of(other) <= abilities_of(role) for other in weaker)


def test_abilities_of_an_unknown_role_raise() -> None:
    with pytest.raises(ValueError, match="boss"):
        organization_abilities("boss")
