"""A short torture: whatever breaks while people write, nothing acknowledged is lost."""

from __future__ import annotations

import pytest

from tests.support.missing import skipping_what_is_missing
from tests.torture.options import Options
from tests.torture.run import torture

#: Short enough for every run of the tests; the seed is another one each time and stands in the output.
SHORT = {"seconds": 12.0, "processes": 2, "clients": 16, "rooms": 2, "users": 2}


@pytest.mark.timeout(240)
async def test_nothing_acknowledged_is_lost_whatever_breaks() -> None:
    with skipping_what_is_missing():
        report = await torture(Options(**SHORT), print)
    assert not report.violations, "\n".join(
        [*report.lines(), *report.violations, f"seed {report.options.seed}"]
    )
    assert sum(report.rounds.values()) > 5
