"""The admin site for rooms: who has access and why, who is connected, and what takes it away.

Documents are not shown.
"""

from collab.admin.accounts import RoomAuditEntryAdmin, RoomOrganizationAdmin, RoomUserAdmin
from collab.admin.connections import LiveConnectionAdmin
from collab.admin.rooms import RoomAdmin
from collab.admin.sharing import AccessRequestAdmin, RoomMemberAdmin, ShareLinkAdmin

__all__ = (
    "AccessRequestAdmin",
    "LiveConnectionAdmin",
    "RoomAdmin",
    "RoomAuditEntryAdmin",
    "RoomMemberAdmin",
    "RoomOrganizationAdmin",
    "RoomUserAdmin",
    "ShareLinkAdmin",
)
