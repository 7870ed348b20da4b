"""Gatehouse and its peers under the same loads: `make bench`."""
