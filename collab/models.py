"""Rooms, who is a member of them, and the log of their documents. Data and constraints only.

The log of a room is its newest `Checkpoint` and the `StoredUpdate` rows after it. `RoomHead` holds
the number of the last row; it is locked to append, so that numbers have no holes.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models

from accounts.models import Group, Organization, User, Versioned


class RoomRole(models.TextChoices):
    """What someone is in a room, strongest first."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


#: The roles that many may be given at once, by organization or link, or may ask for: never owner.
SHARED_ROLES = [(RoomRole.EDITOR.value, "Editor"), (RoomRole.VIEWER.value, "Viewer")]

#: What `Room.kind` may be, if it is not empty.
ROOM_KIND_PATTERN = r"^[a-z0-9-]{1,32}\Z"


class Room(Versioned):
    """The shared thing: a name, members, and one Yjs document."""

    versioned_fields = ("name", "organization_role", "kind")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="rooms")
    name = models.CharField(max_length=200)
    kind = models.CharField(
        max_length=32,
        blank=True,
        default="",
        db_default="",
        validators=[RegexValidator(ROOM_KIND_PATTERN)],
        help_text="The application's own word for what the room holds, so that a page knows its editor.",
    )
    organization_role = models.CharField(  # noqa: DJ001  # none is no role, and not an empty one
        max_length=6,
        choices=SHARED_ROLES,
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
                | models.Q(organization_role__in=[value for value, _ in SHARED_ROLES]),
                name="room_organization_role_known",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["organization", "-created_at"], name="room_by_organization")
        ]

    def __str__(self) -> str:
        return self.name


class RoomMember(Versioned):
    """A membership in a room: of a user, a group, or an e-mail address that has no account yet."""

    versioned_fields = ("role",)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    room = models.ForeignKey(Room, models.CASCADE, related_name="members")
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="room_memberships")
    group = models.ForeignKey(Group, models.CASCADE, null=True, related_name="room_memberships")
    email = models.EmailField(  # noqa: DJ001  # none is no address, and only addresses are unique
        null=True, help_text="Invited; in lower case. None once there is an account."
    )
    role = models.CharField(max_length=6, choices=RoomRole.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["room", "user"], name="room_member_once"),
            models.UniqueConstraint(fields=["room", "group"], name="room_member_group_once"),
            models.UniqueConstraint(fields=["room", "email"], name="room_invitation_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=RoomRole.values), name="room_member_role_known"
            ),
            models.CheckConstraint(
                condition=models.Q(user__isnull=False, group__isnull=True, email__isnull=True)
                | models.Q(user__isnull=True, group__isnull=False, email__isnull=True)
                | models.Q(user__isnull=True, group__isnull=True, email__isnull=False),
                name="room_member_is_user_group_or_email",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["email"], name="room_member_by_email")]

    def __str__(self) -> str:
        return f"{self.user_id or self.group_id or self.email} is {self.role} of {self.room_id}"


class ShareLink(Versioned):
    """A secret that gives whoever redeems it a role in a room, as long as the link lives."""

    versioned_fields = ("role", "password", "expires_at", "max_uses")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    room = models.ForeignKey(Room, models.CASCADE, related_name="share_links")
    role = models.CharField(max_length=6, choices=SHARED_ROLES)
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the token, in hexadecimal.")
    password = models.CharField(max_length=128, blank=True, help_text="Hashed; none if empty.")
    expires_at = models.DateTimeField(null=True, blank=True)
    max_uses = models.PositiveIntegerField(null=True, blank=True, help_text="People it may let in.")
    uses = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(role__in=[value for value, _ in SHARED_ROLES]),
                name="share_link_role_known",
            ),
            models.CheckConstraint(
                condition=models.Q(max_uses__isnull=True) | models.Q(uses__lte=models.F("max_uses")),
                name="share_link_uses_bounded",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} of {self.room_id}"


class ShareLinkGrant(models.Model):
    """Somebody who redeemed a link: has its role, as it is now, until it expires or is deleted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    link = models.ForeignKey(ShareLink, models.CASCADE, related_name="grants")
    user = models.ForeignKey(User, models.CASCADE, related_name="share_link_grants")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["link", "user"], name="share_link_grant_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} by {self.link_id}"


class WrongPassword(models.Model):
    """An attempt at the password of a share link, by somebody who never got in since."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    link = models.ForeignKey(ShareLink, models.CASCADE, related_name="wrong_passwords")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.user_id} at {self.link_id}"


class AccessRequestStatus(models.TextChoices):
    """Where a request for access stands."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"


class AccessRequest(Versioned):
    """Somebody asks for a role in a room."""

    versioned_fields = ("status",)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    room = models.ForeignKey(Room, models.CASCADE, related_name="access_requests")
    user = models.ForeignKey(User, models.CASCADE, related_name="access_requests")
    role = models.CharField(max_length=6, choices=SHARED_ROLES)
    message = models.CharField(max_length=500, blank=True)
    status = models.CharField(
        max_length=8, choices=AccessRequestStatus.choices, default=AccessRequestStatus.PENDING
    )
    created_at = models.DateTimeField(auto_now_add=True)
    answered_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["room", "user"],
                condition=models.Q(status=AccessRequestStatus.PENDING),
                name="access_request_pending_once",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=[value for value, _ in SHARED_ROLES]),
                name="access_request_role_known",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=AccessRequestStatus.values), name="access_request_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} asks to be {self.role} of {self.room_id}"


class ServerProcess(models.Model):
    """A running server process; one that has not been seen for a while is no more."""

    id = models.UUIDField(primary_key=True, editable=False)
    seen_at = models.DateTimeField(db_index=True, help_text="By the clock of the database.")

    def __str__(self) -> str:
        return str(self.id)


class LiveConnection(models.Model):
    """A socket that is open in a room now, in one of the processes.

    Written in groups, a moment after the fact. Without foreign keys that the database checks: a room
    that was deleted meanwhile must not keep the others of its group from being written.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    process_id = models.UUIDField(db_index=True)
    room = models.ForeignKey(Room, models.DO_NOTHING, db_constraint=False, related_name="connections")
    user = models.ForeignKey(User, models.DO_NOTHING, db_constraint=False, related_name="connections")
    role = models.CharField(max_length=6, choices=RoomRole.choices)
    protocol = models.CharField(max_length=20)
    since = models.DateTimeField()
    kicked_at = models.DateTimeField(null=True, help_text="When somebody sent it away.")

    def __str__(self) -> str:
        return f"{self.user_id} in {self.room_id}"


class RoomHead(models.Model):
    """The number of the last row of a room's log. Small, because every commit locks it."""

    room = models.OneToOneField(Room, models.CASCADE, primary_key=True, related_name="head")
    seq = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.room_id} at {self.seq}"


class StoredUpdate(models.Model):
    """One row of the log: Yjs updates (v1) as their author sent them; those of one commit joined."""

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
