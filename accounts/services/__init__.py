"""Writing accounts: each function is one transaction, authorizes, writes, and announces on commit.

One subject a module. Nothing is written past these functions but by migrations and tests.
"""
