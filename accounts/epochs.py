"""Access epochs: the number that tells a live connection that its rights may have moved.

Raised in the transaction of the change and announced after its commit, so that whoever hears of it
already reads the new state. The announcement is a hint: a lost one is caught by comparing epochs.
"""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db import models, transaction
from django.db.models import F

from accounts.signals import access_changed


def raise_access_epoch(model: type[models.Model], *object_ids: UUID) -> None:
    """Raise `access_epoch` of rows of `model` and announce it on commit."""
    if object_ids:
        # Locked in one order: two changes that concern the same people wait for each other in turn.
        rows = model._default_manager.filter(pk__in=object_ids)
        list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk"))
        rows.update(access_epoch=F("access_epoch") + 1)
        announce_access_change(model, *object_ids)


def announce_access_change(model: type[models.Model], *object_ids: UUID) -> None:
    """Send `access_changed` on commit. Alone it is enough where the rows themselves go away."""
    # Robust: the change is committed, so a receiver that fails can't be allowed to fail the request.
    transaction.on_commit(partial(access_changed.send_robust, sender=model, object_ids=object_ids))
