"""Identity: a colour of one's own that can be read, and fields that are bounded."""

from __future__ import annotations

import json
import math
import re
from uuid import UUID

import pytest

from collab.engine.identity import MAX_IDENTITY_BYTES, PALETTE, Identity, color_of


def luminance(color: str) -> float:
    """Relative luminance, WCAG 2."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("color", PALETTE)
def test_color_can_be_read_on_white_and_on_black(color: str) -> None:
    assert re.fullmatch("#[0-9a-f]{6}", color)
    assert 1.05 / (luminance(color) + 0.05) >= 4.5
    assert (luminance(color) + 0.05) / 0.05 >= 4.5


def test_color_of_a_user_never_changes() -> None:
    assert color_of("00000000-0000-0000-0000-000000000001") == "#dd0099"
    assert color_of("5f0cf3c1-7f52-4c2e-8f9e-1c2d3e4f5a6b") == "#926888"


def test_colors_of_many_users_are_spread_over_the_palette() -> None:
    users = 2400
    found = [color_of(str(UUID(int=number))) for number in range(users)]
    expected = users / len(PALETTE)
    assert set(found) == set(PALETTE)
    assert all(abs(found.count(color) - expected) < 6 * math.sqrt(expected) for color in PALETTE)


def test_identity_with_an_id_gets_its_color() -> None:
    identity = Identity({"id": 7, "name": "Åsa"})
    assert json.loads("{" + identity.text + "}") == {"id": 7, "name": "Åsa", "color": color_of("7")}
    assert identity.user_id == "7"
    assert identity.names == {"id", "name", "color"}


def test_identity_keeps_a_color_that_is_given() -> None:
    assert json.loads("{" + Identity({"id": "a", "color": "#123456"}).text + "}")["color"] == "#123456"


def test_identity_without_an_id_is_of_nobody_known() -> None:
    identity = Identity({"name": "Guest"})
    assert identity.user_id is None
    assert identity.text == '"name":"Guest"'


@pytest.mark.parametrize("fields", [{"x": math.nan}, {"name": "x" * MAX_IDENTITY_BYTES}], ids=["NaN", "long"])
def test_identity_that_can_not_be_sent_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"JSON|at most"):
        Identity(fields)
