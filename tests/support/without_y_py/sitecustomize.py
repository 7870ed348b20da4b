"""On `PYTHONPATH`: a machine on which y-py is not installed, as on Python 3.13 and later."""

import sys

# What importlib documents as "this module can't be imported".
sys.modules["y_py"] = None  # type: ignore[assignment]
