"""What a torture is to be like."""

from __future__ import annotations

import argparse
import secrets
from dataclasses import dataclass, field, fields

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """`write_ms` is the mean time between two updates of one client; `growth_mib` what a process may grow."""

    seconds: float = field(default=120.0, metadata={"help": "how long things break"})
    processes: int = field(default=3, metadata={"help": "server processes"})
    clients: int = field(default=40, metadata={"help": "clients, all of them writing"})
    rooms: int = field(default=4, metadata={"help": "rooms they are spread over"})
    users: int = field(default=4, metadata={"help": "accounts they are signed in with"})
    write_ms: int = field(default=250, metadata={"help": "mean time between two updates of a client, ms"})
    growth_mib: int = field(default=48, metadata={"help": "how much a process may grow after warm-up, MiB"})
    seed: int = field(default_factory=lambda: secrets.randbelow(2**31), metadata={"help": "default: random"})


def parse(arguments: list[str] | None = None) -> Options:
    """Options from the command line: `--seconds 60 --seed 7`."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    defaults = Options()
    for each in fields(Options):
        default = getattr(defaults, each.name)
        shown = each.metadata["help"] + ("" if each.name == "seed" else f" (default: {default})")
        parser.add_argument(
            f"--{each.name.replace('_', '-')}", type=type(default), default=default, help=shown
        )
    return Options(**vars(parser.parse_args(arguments)))
