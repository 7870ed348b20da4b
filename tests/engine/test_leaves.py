"""A document's many small objects are nothing to the collector of cycles, and are freed as ever."""

from __future__ import annotations

import gc
import sys

import pytest

from collab.engine.document import Document
from collab.engine.gate import parse_update
from collab.engine.leaves import as_leaf
from collab.engine.structs import finish
from tests.engine.builders import client, skip, update
from tests.engine.builders import gc as struct

MANY_CLIENTS = update(*[client(number, 0, struct()) for number in range(3_000, 0, -1)])
MANY_GAPS = update(client(7, 0, *[part for _ in range(3_000) for part in (struct(), skip(1))], struct()))


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="elsewhere nothing is known of it")
@pytest.mark.parametrize("data", [MANY_CLIENTS, MANY_GAPS], ids=["clients", "gaps"])
@pytest.mark.parametrize("is_planned", [True, False])
def test_document_of_many_parts_is_few_objects_to_the_collector(data: bytes, is_planned: bool) -> None:
    gc.collect()
    before = len(gc.get_objects())
    document, parsed = Document(), parse_update(data)
    if is_planned:
        with document.planning(parsed) as plan:
            finish(plan.work())
            document.take_in(parsed, plan)
    else:
        document.take_in(parsed)
    gc.collect()
    assert len(gc.get_objects()) - before < 100
    assert document.encode() == data


def test_leaf_is_the_same_object_and_is_freed_with_its_last_holder() -> None:
    class Noted:
        def __del__(self) -> None:
            freed.append("gone")

    freed: list[str] = []
    holder = as_leaf([Noted()])
    assert freed == []
    del holder
    assert freed == ["gone"]
