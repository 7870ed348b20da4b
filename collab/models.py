"""Rooms, who is a member of them, and the log of their documents. Data and constraints only.

The log of a room is its newest `Checkpoint` and the `StoredUpdate` rows after it. `RoomHead` holds
the number of the last row; it is locked to append, so that numbers have no holes.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from accounts.models import Organization, User


class RoomRole(models.TextChoices):
    """What someone is in a room, strongest first."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


#: The roles that every member of the organization may be given at once: never owner.
ORGANIZATION_WIDE_ROLES = [(RoomRole.EDITOR.value, "Editor"), (RoomRole.VIEWER.value, "Viewer")]


class Room(models.Model):
    """The shared thing: a name, members, and one Yjs document."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="rooms")
    name = models.CharField(max_length=200)
    organization_role = models.CharField(  # noqa: DJ001  # none is no role, and not an empty one
        max_length=6,
        choices=ORGANIZATION_WIDE_ROLES,
        null=True,
        blank=True,
        help_text="The role that every member of the organization has here; none if empty.",
    )
    access_epoch = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    trashed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(organization_role__isnull=True)
                | models.Q(organization_role__in=[value for value, _ in ORGANIZATION_WIDE_ROLES]),
                name="room_organization_role_known",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["organization", "-created_at"], name="room_by_organization")
        ]

    def __str__(self) -> str:
        return self.name


class RoomMember(models.Model):
    """A user's membership in a room."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    room = models.ForeignKey(Room, models.CASCADE, related_name="members")
    user = models.ForeignKey(User, models.CASCADE, related_name="room_memberships")
    role = models.CharField(max_length=6, choices=RoomRole.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["room", "user"], name="room_member_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=RoomRole.values), name="room_member_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role} of {self.room_id}"


class RoomHead(models.Model):
    """The number of the last row of a room's log. Small, because every commit locks it."""

    room = models.OneToOneField(Room, models.CASCADE, primary_key=True, related_name="head")
    seq = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.room_id} at {self.seq}"


class StoredUpdate(models.Model):
    """One row of the log: a Yjs update (v1) as its author sent it."""

    room = models.ForeignKey(Room, models.CASCADE, related_name="updates", db_index=False)
    seq = models.PositiveBigIntegerField()
    data = models.BinaryField()
    author_id = models.UUIDField(null=True, help_text="The user who sent it; none for the server itself.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["room", "seq"], name="stored_update_seq_once")
        ]

    def __str__(self) -> str:
        return f"{self.room_id} #{self.seq}"


class Checkpoint(models.Model):
    """All updates of a room up to and including `seq`, joined into one Yjs update (v1)."""

    room = models.OneToOneField(Room, models.CASCADE, primary_key=True, related_name="checkpoint")
    seq = models.PositiveBigIntegerField()
    data = models.BinaryField()
    state_vector = models.BinaryField()
    created_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.room_id} up to {self.seq}"


class DamagedRow(models.Model):
    """Bytes that are no Yjs update, which a repair took out of a log: a row's, or a checkpoint's at `seq`."""

    room = models.ForeignKey(Room, models.CASCADE, related_name="damaged_rows")
    seq = models.PositiveBigIntegerField()
    data = models.BinaryField()
    author_id = models.UUIDField(null=True, help_text="As in the log; none for a checkpoint.")
    created_at = models.DateTimeField(help_text="When it was written into the log.")
    reason = models.TextField(help_text="What was found, and why the bytes can't be read.")
    found_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.room_id} #{self.seq}: {self.reason}"
