"""What hostile bytes could do, looked for at random; `python -m tests.fuzz` and `make fuzz`."""
