"""What can be refused, and how it is named to the caller.

    DomainError
    ├── NotFoundError            does not exist, or the caller may not know that it does
    ├── PermissionDeniedError    the caller sees the object but may not do this to it
    └── InvalidError             the request itself can't be carried out
        ├── EmailTakenError
        ├── UnknownUserError
        ├── AlreadyMemberError
        └── LastOwnerError

`code` is for programs, `detail` a sentence for people, `fields` the messages by field of the input.
Nothing here knows HTTP: `api.errors` gives each branch its status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class DomainError(Exception):
    """The base of everything that services and selectors raise on purpose."""

    code = "invalid"
    default_detail = "This can't be done."

    def __init__(
        self, detail: str | None = None, *, fields: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.detail = detail or self.default_detail
        self.fields = {name: list(messages) for name, messages in (fields or {}).items()}
        super().__init__(self.detail)


class NotFoundError(DomainError):
    code = "not_found"
    default_detail = "Not found."


class PermissionDeniedError(DomainError):
    code = "permission_denied"
    default_detail = "You do not have permission to do this."


class InvalidError(DomainError):
    """The input, alone or together with what is stored, can't be accepted."""


class EmailTakenError(InvalidError):
    code = "email_taken"
    default_detail = "There is already an account with this e-mail address."

    def __init__(self) -> None:
        super().__init__(fields={"email": [self.default_detail]})


class UnknownUserError(InvalidError):
    """Raised for a deactivated account too: from outside the two look the same.

    Args:
        field: the name of the input that was to identify the account.
    """

    code = "unknown_user"
    default_detail = "There is no account for this."

    def __init__(self, field: str) -> None:
        detail = {"email": "There is no account with this e-mail address."}.get(field, self.default_detail)
        super().__init__(detail, fields={field: [detail]})


class AlreadyMemberError(InvalidError):
    code = "already_member"
    default_detail = "This user is already a member."


class LastOwnerError(InvalidError):
    code = "last_owner"
    default_detail = "The last owner can't be removed or given another role."


def first_line(error: Exception) -> str:
    """What a database said, for a log: without the lines that repeat it for each address."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
