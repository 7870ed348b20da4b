"""What accounts tells the layers above it, which it may not import."""

from django.dispatch import Signal

#: Sent after the commit of a change that can take access away or give it.
#: `sender`: the model class whose `access_epoch` was raised; `object_ids`: the ids (UUID) of its rows.
access_changed = Signal()
