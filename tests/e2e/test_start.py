"""A server that can't work as it is set up does not start, and says which variable is wrong."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from collab.engine.limits import Limits
from tests.support.server import ROOT, environment, manage


def example_variables() -> dict[str, str]:
    """What stands in `.env.example` outside of its comments."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_example_environment_names_every_limit_with_its_default() -> None:
    example = {name: value for name, value in example_variables().items() if name.startswith("COLLAB_")}
    assert example == {f"COLLAB_{name.upper()}": str(value) for name, value in asdict(Limits()).items()}


def test_example_environment_is_accepted_as_it_stands() -> None:
    done = manage("check", env=environment(**example_variables()))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "70000"),
        ("DATABASE_URL", "mysql://user@127.0.0.1/name"),
        ("REDIS_URL", "http://127.0.0.1"),
        ("ALLOWED_ORIGINS", "app.example.com"),
        ("ACCESS_TOKEN_LIFETIME_S", "0"),
        ("COLLAB_MAX_MESSAGE_BYTES", "many"),
        ("COLLAB_ACCESS_LEASE_S", "-1"),
    ],
)
def test_serve_with_a_bad_variable_stops_with_its_name(variable: str, value: str) -> None:
    done = manage("serve", env=environment(**{variable: value}))
    assert done.returncode not in {0, -9}
    last_lines = "\n".join(done.stdout.strip().splitlines()[-3:])
    assert variable in last_lines
    assert "Traceback" not in done.stdout


def test_serve_in_production_without_required_variables_names_each() -> None:
    done = manage("serve", env=environment(DEBUG="0", SECRET_KEY="", ALLOWED_HOSTS=""))
    assert done.returncode not in {0, -9}
    assert "SECRET_KEY" in done.stdout
    assert "Traceback" not in done.stdout


def test_serve_with_two_workers_and_no_redis_is_refused_with_the_reason() -> None:
    done = manage("serve", "--port", "0", "--workers", "2", env=environment())
    assert done.returncode not in {0, -9}
    assert "REDIS_URL" in done.stdout
    assert "Traceback" not in done.stdout
