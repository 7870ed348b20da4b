"""People: making an account, and what someone may change about themselves."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.errors import EmailTakenError, InvalidError
from accounts.models import User
from accounts.services.organizations import create_organization


@transaction.atomic
def register_user(*, email: str, password: str, name: str) -> User:
    """Make an account and the user's own organization, of the same name.

    Raises:
        EmailTakenError: there is an account with this address, in any case.
        InvalidError: the password is too weak.
    """
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise InvalidError(" ".join(error.messages), fields={"password": error.messages}) from error
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name)
    except IntegrityError as error:
        raise EmailTakenError from error
    create_organization(owner=user, name=name)
    return user


@transaction.atomic
def rename_user(*, user: User, name: str) -> User:
    """Change the name that others see."""
    user.name = name
    user.save(update_fields=["name"])
    return user
