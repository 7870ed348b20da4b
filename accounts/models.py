"""Who someone is, and which organization (tenant) they belong to. Data and constraints only.

`access_epoch` of a user or organization is raised in the same transaction as any change that can
move what its members may do; live connections compare it with the number they were let in at.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, NamedTuple, NoReturn

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower


class Versioned(models.Model):
    """What a PATCH may change; `accounts.versions` tells who would overwrite what they have not seen."""

    #: The names of the fields that it may change.
    versioned_fields: ClassVar[tuple[str, ...]]

    class Meta:
        abstract = True


class UserManager(BaseUserManager["User"]):
    """Creates users whose e-mail address is stored in lower case: it is the login."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class Origin(NamedTuple):
    """From where somebody acts."""

    address: str | None = None
    user_agent: str = ""


class User(Versioned, AbstractBaseUser, PermissionsMixin):
    """A person who can sign in."""

    versioned_fields = ("name",)

    #: From where they act in the request at hand; not stored.
    origin: Origin | None = None

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=150)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    joined_at = models.DateTimeField(auto_now_add=True)
    access_epoch = models.PositiveBigIntegerField(default=0, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    objects = UserManager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(Lower("email"), name="user_email_any_case_unique")]

    def __str__(self) -> str:
        return self.email


class OrganizationRole(models.TextChoices):
    """What someone is in an organization, weakest last."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"


class Organization(Versioned):
    """A tenant: nothing of one organization is visible from another."""

    versioned_fields = ("name",)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=150)
    external_id = models.CharField(  # none is no id, and only ids are unique
        max_length=255,
        null=True,
        blank=True,
        unique=True,
        help_text="What the identity provider calls it; none where people are added by hand.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    access_epoch = models.PositiveBigIntegerField(default=0, editable=False)

    def __str__(self) -> str:
        return self.name


class OrganizationMember(Versioned):
    """A membership in an organization: of a user, or of an e-mail address that has no account yet."""

    versioned_fields = ("role",)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="members")
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="organization_memberships")
    email = models.EmailField(  # noqa: DJ001  # none is no address, and only addresses are unique
        null=True, help_text="Invited; in lower case. None once there is an account."
    )
    role = models.CharField(max_length=6, choices=OrganizationRole.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "user"], name="organization_member_once"),
            models.UniqueConstraint(fields=["organization", "email"], name="organization_invitation_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=OrganizationRole.values), name="organization_member_role_known"
            ),
            models.CheckConstraint(
                condition=models.Q(user__isnull=False, email__isnull=True)
                | models.Q(user__isnull=True, email__isnull=False),
                name="organization_member_is_user_or_email",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["email"], name="organization_member_by_email")]

    def __str__(self) -> str:
        return f"{self.user_id or self.email} is {self.role} of {self.organization_id}"


class Group(Versioned):
    """Members of an organization who are given access together."""

    versioned_fields = ("name",)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="groups")
    name = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint("organization", Lower("name"), name="group_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class GroupMember(models.Model):
    """A member of the group's organization in the group; leaves it with the organization."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    group = models.ForeignKey(Group, models.CASCADE, related_name="members")
    member = models.ForeignKey(OrganizationMember, models.CASCADE, related_name="group_memberships")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group", "member"], name="group_member_once")
        ]

    def __str__(self) -> str:
        return f"{self.member_id} in {self.group_id}"


class Session(models.Model):
    """One sign-in: the refresh token it gave, those that came of it, and all their access tokens.

    The tokens name it in the claim `sid`. Ended, none of them is good any more.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="sessions")
    address = models.GenericIPAddressField(null=True, help_text="From where it was begun.")
    user_agent = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True, help_text="When its newest refresh token expires.")
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.user_id} since {self.created_at}"


class Ticket(models.Model):
    """Lets one socket into one room, once, in the place of the access token it was asked for with.

    Kept until that token expires: used a second time, it ends the socket that it let in.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the ticket, in hexadecimal.")
    user = models.ForeignKey(User, models.CASCADE, related_name="tickets")
    session = models.ForeignKey(Session, models.CASCADE, null=True, related_name="tickets")
    password_fingerprint = models.CharField(max_length=64, blank=True, help_text="As in the access token.")
    room_id = models.UUIDField(help_text="The one room.")
    expires_at = models.DateTimeField(help_text="Until when it can be used.")
    token_expires_at = models.DateTimeField(db_index=True, help_text="Until when the socket may stay open.")
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True, help_text="When it was used a second time.")

    def __str__(self) -> str:
        return f"{self.user_id} for {self.room_id}"


class ExternalIdentity(models.Model):
    """Who a user is to an identity provider."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="external_identities")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    organizations = models.ManyToManyField(
        Organization,
        related_name="+",
        help_text="Those it was made a member of, also if it is none any more.",
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="external_identity_once")
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class AuditChain(models.Model):
    """The end of an organization's audit trail; locked to write the next entry."""

    organization_id = models.UUIDField(primary_key=True, editable=False)
    number = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.organization_id} at {self.number}"


class AppendOnlyError(Exception):
    """Something was about to change or delete what is only ever added to."""


class AppendOnlyQuerySet(models.QuerySet["AuditEntry"]):
    """Rows can be read and added."""

    def update(self, **fields: object) -> NoReturn:
        raise AppendOnlyError

    def bulk_update(self, *args: object, **options: object) -> NoReturn:
        raise AppendOnlyError

    def delete(self) -> NoReturn:
        raise AppendOnlyError


class AuditEntry(models.Model):
    """What somebody did, in the trail of one organization. Never changed, never deleted.

    Django is kept from it here, and on PostgreSQL everybody by a trigger.

    Refers to nothing: it outlives what it tells of. `digest` covers the entry and the digest of the one
    before it, so that an entry that was changed, taken out or put in between shows.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization_id = models.UUIDField()
    number = models.PositiveBigIntegerField(help_text="From 1, without holes, in each organization.")
    created_at = models.DateTimeField()
    action = models.CharField(max_length=40)
    actor_id = models.UUIDField(null=True, help_text="The user who did it; none for the server itself.")
    room_id = models.UUIDField(null=True)
    subject_id = models.UUIDField(null=True, help_text="The user, group or link it was done to.")
    details = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True, help_text="From where.")
    user_agent = models.CharField(max_length=200, blank=True)
    digest = models.CharField(max_length=64)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization_id", "number"], name="audit_entry_number_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["room_id", "number"], name="audit_entry_by_room"),
            models.Index(fields=["organization_id", "actor_id", "number"], name="audit_entry_by_actor"),
            models.Index(fields=["organization_id", "created_at"], name="audit_entry_by_time"),
            models.Index(fields=["created_at"], name="audit_entry_of_all_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} #{self.number}: {self.action}"

    def save(self, *args: Any, **options: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError
        super().save(*args, **{**options, "force_insert": True})

    def delete(self, *args: Any, **options: Any) -> NoReturn:
        raise AppendOnlyError
