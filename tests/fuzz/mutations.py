"""Changes bytes at random, where a coverage-guided fuzzer is not at hand."""

from __future__ import annotations

from random import Random

_INTERESTING = (
    b"\x00",
    b"\x01",
    b"\x7f",
    b"\x80\x01",
    b"\xff",
    b"\xff\xff\xff\xff\x07",
    b"\xff" * 8 + b"\x7f",
)
MAX_BYTES = 4096


def mutated(data: bytes, others: list[bytes], random: Random) -> bytes:
    """A few changes to `data`, some of which bring in parts of `others`."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        pos = random.randrange(len(out) + 1)
        end = min(len(out), pos + random.choice((1, 1, 2, 4, 16)))
        match random.randrange(7):
            case 0 if pos < len(out):
                out[pos] ^= 1 << random.randrange(8)
            case 1:
                out[pos:end] = random.choice(_INTERESTING)
            case 2:
                out[pos:pos] = random.randbytes(random.randrange(1, 5))
            case 3:
                del out[pos:end]
            case 4:
                out[pos:pos] = out[pos:end] * random.randrange(1, 4)
            case 5:
                other = random.choice(others)
                start = random.randrange(len(other) + 1)
                out[pos:end] = other[start : start + random.randrange(1, 64)]
            case _:
                out[pos:] = random.choice(others)[pos:]
    return bytes(out[:MAX_BYTES])
