"""The password, and what ends with it."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.audit import AuditAction, record_for_user
from accounts.errors import InvalidError
from accounts.models import User
from accounts.services.sessions import end_all_sessions


@transaction.atomic
def change_password(*, user: User, old_password: str, new_password: str) -> None:
    """Set another password; every session ends, this one too.

    Raises:
        InvalidError: the old password is wrong, or the new one too weak.
    """
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if not locked.check_password(old_password):
        raise InvalidError(fields={"old_password": ["This is not your password."]})
    check_password_strength(new_password, user=locked, field="new_password")
    locked.set_password(new_password)
    locked.save(update_fields=["password"])
    record_for_user(AuditAction.PASSWORD_CHANGED, locked, actor=user)


@transaction.atomic
def dangerously_set_password(*, actor: User, user: User, password: str | None) -> None:
    """Set the password of whoever it is, or take it away; every session of theirs ends. For operators."""
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if password is None:
        locked.set_unusable_password()
    else:
        locked.set_password(password)
    locked.save(update_fields=["password"])
    user.password = locked.password
    end_all_sessions(user)  # nobody is told of a password that is taken away
    record_for_user(AuditAction.PASSWORD_CHANGED, user, actor=actor, operator=True)


def check_password_strength(password: str, *, user: User, field: str) -> None:
    """Raises InvalidError, for this field of the input, for a password that is too weak."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidError(" ".join(error.messages), fields={field: error.messages}) from error


class EndSessions:
    """Stands among the password validators to be told of new passwords, however they came to be set.

    By a request, in the admin site, by `manage.py changepassword`: who was signed in with the old one is
    not any more. It takes every password.
    """

    def validate(self, password: str, user: User | None = None) -> None:
        """Nothing is too weak for it."""

    def password_changed(self, password: str, user: User | None = None) -> None:
        if user is not None:
            end_all_sessions(user)

    def get_help_text(self) -> str:
        return "With a new password everybody who is signed in to the account is signed out."
