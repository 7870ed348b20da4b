"""The admin site for accounts: who there is, and what an operator does about it.

Pages show; what changes anything goes through a service, so that sessions and sockets end and the audit
trail tells of it. Only accounts themselves are edited.
"""

from accounts.admin.audit import AuditEntryAdmin
from accounts.admin.groups import GroupAdmin, GroupMemberAdmin
from accounts.admin.organizations import OrganizationAdmin, OrganizationMemberAdmin
from accounts.admin.sessions import SessionAdmin
from accounts.admin.users import UserAdmin

__all__ = (
    "AuditEntryAdmin",
    "GroupAdmin",
    "GroupMemberAdmin",
    "OrganizationAdmin",
    "OrganizationMemberAdmin",
    "SessionAdmin",
    "UserAdmin",
)
