"""Objects that the collector of cycles need not look at, because nothing in them leads back to them.

A document of thousands of clients, or gaps, is so many small objects, and one look at all of them takes as
long as there are: 70 ms with 200,000. CPython has no Python function for this, but one of its C API, which it
uses itself for tuples and dicts that hold no containers. Elsewhere they are looked at.
"""

from __future__ import annotations

import ctypes
import sys
from typing import TypeVar

T = TypeVar("T")

_untrack = None
if sys.implementation.name == "cpython" and hasattr(ctypes, "pythonapi"):
    _untrack = ctypes.pythonapi.PyObject_GC_UnTrack
    _untrack.argtypes = [ctypes.py_object]
    _untrack.restype = None


def as_leaf(thing: T) -> T:
    """The same object. It must never hold anything that leads to it: that would never be freed."""
    if _untrack is not None:
        _untrack(thing)
    return thing
