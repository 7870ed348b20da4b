"""What a test needs and the machine lacks: skipped by name, except where nothing may be skipped.

The terminal summary groups the tests by what stopped them, in lines that begin with `COULD_NOT_RUN`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

COULD_NOT_RUN = "could not run: "


class MissingError(RuntimeError):
    """A program is not on this machine; the message names it and says how to get it."""


def is_everything_required() -> bool:
    """Whether a missing service fails the run (`CI=true`) instead of skipping its tests."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


@contextmanager
def skipping_what_is_missing() -> Iterator[None]:
    """Skip the test that needs what is missing, or fail it."""
    try:
        yield
    except MissingError as error:
        if is_everything_required():
            message = f"{error} (CI=true: nothing may be skipped)"
            raise pytest.fail.Exception(message, pytrace=False) from None
        raise pytest.skip.Exception(f"{COULD_NOT_RUN}{error}") from None


def summary_lines(skipped: Iterable[pytest.TestReport]) -> list[str]:
    """One line for each directory of tests and each thing that was missing there."""
    groups: Counter[tuple[str, str]] = Counter()
    for report in skipped:
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        _, found, what = reason.partition(COULD_NOT_RUN)
        if found:
            groups[report.nodeid.partition("::")[0].rpartition("/")[0], what] += 1
    return [
        f"{COULD_NOT_RUN}{count} {'test' if count == 1 else 'tests'} of {place}: {what}"
        for (place, what), count in sorted(groups.items())
    ]
