"""What accounts tells the layers above it, which it may not import."""

from django.dispatch import Signal

#: Sent after the commit of a change that can take access away or give it.
#: `sender`: the model class whose `access_epoch` was raised; `object_ids`: the ids (UUID) of its rows.
access_changed = Signal()

#: Sent after the commit in which somebody gave a user, a group or an e-mail address a membership: for mails.
#: `sender`: its model class; `membership`: with `email` if it is an invitation; `actor`: the user who did it.
member_added = Signal()

#: Sent in the transaction that takes up the invitations of `user`, whose address is now known to be theirs.
#: `sender`: the model class User. Receivers take up what they keep, lock no audit trail, and give a list of
#: what they took up (`accounts.invitations.TakenUp`).
invitations_due = Signal()
