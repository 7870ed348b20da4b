"""What collab tells those who write mails, after the commit.

`sender` is the model class AccessRequest; `access_request` the row, with its `user` and `room`.
"""

from django.dispatch import Signal

#: Somebody asked for access.
access_requested = Signal()

#: Somebody who may share the room accepted or declined: `status` and `answered_by` tell.
access_request_answered = Signal()
