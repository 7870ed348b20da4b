"""What accounts tells the layers above it, which it may not import."""

from django.dispatch import Signal

#: Sent after the commit of a change that can take access away or give it.
#: `sender`: the model class whose `access_epoch` was raised; `object_id`: the id (UUID) of its row.
access_changed = Signal()
