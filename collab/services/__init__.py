"""Writing rooms: each function is one transaction, authorizes, writes, and announces on commit.

One subject a module. Whoever changes what others may do in a room first locks its row, so that the
caller's own role and the number of owners can't move before the change is committed.
"""
