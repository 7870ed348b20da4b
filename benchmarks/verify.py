"""What a client was sent, put into a real Yjs document (pycrdt): does it hold what was written?"""

from __future__ import annotations

import base64

import pycrdt

from benchmarks.generator import Result


def problems_of_sample(sample: Result) -> list[str]:
    """A sentence for each writer whose text is not whole in the document."""
    doc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    text = doc.get("body", type=pycrdt.Text)
    for update in sample["updates"]:
        doc.apply_update(base64.b64decode(update))
    have = read_state_vector(doc.get_state())
    wanted = {int(client): int(clock) for client, clock in sample["clocks"]}
    short = [client for client, clock in wanted.items() if have.get(client, 0) < clock]
    if short:
        return [f"the document of a sampled client lacks text of {len(short)} writers"]
    if len(str(text)) < sum(wanted.values()):
        return ["the document of a sampled client is shorter than what was written"]
    return []


def read_state_vector(data: bytes) -> dict[int, int]:
    """Clock by client id."""
    numbers = iter(_read_var_uints(data))
    return {next(numbers): next(numbers) for _ in range(next(numbers))}


def _read_var_uints(data: bytes) -> list[int]:
    numbers, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(value)
            value = shift = 0
    return numbers
