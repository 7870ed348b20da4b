"""What can be refused, and how it is named to the caller.

    DomainError
    ├── NotFoundError            does not exist, or the caller may not know that it does
    ├── PermissionDeniedError    the caller sees the object but may not do this to it
    │   ├── PasswordRequiredError
    │   ├── WrongPasswordError
    │   └── TooManyAttemptsError
    ├── ChangedMeanwhileError    the object is not any more what the caller wants to change
    └── InvalidError             the request itself can't be carried out
        ├── EmailTakenError
        ├── UnknownUserError
        ├── UnknownMemberError
        ├── UnknownGroupError
        ├── AlreadyMemberError
        ├── NameTakenError
        ├── InvalidInvitationError
        ├── LastOwnerError
        ├── NotAMemberError
        ├── AlreadyRequestedError
        ├── AlreadyHasAccessError
        └── AlreadyAnsweredError

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


class PasswordRequiredError(PermissionDeniedError):
    code = "password_required"
    default_detail = "This link asks for a password."


class WrongPasswordError(PermissionDeniedError):
    code = "wrong_password"
    default_detail = "This is not the password of the link."


class TooManyAttemptsError(PermissionDeniedError):
    """Final until the link gets another password."""

    code = "too_many_attempts"
    default_detail = "There were too many wrong passwords; ask for another link or another password."


class ChangedMeanwhileError(DomainError):
    code = "precondition_failed"
    default_detail = "This was changed meanwhile; read it again."


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


class UnknownMemberError(InvalidError):
    """Whoever is to be added to a group is no member of its organization.

    Args:
        field: the name of the input that was to identify the member.
    """

    code = "unknown_member"
    default_detail = "The organization has no such member."

    def __init__(self, field: str) -> None:
        super().__init__(fields={field: [self.default_detail]})


class UnknownGroupError(InvalidError):
    """Raised for a group of another organization too: from outside the two look the same."""

    code = "unknown_group"
    default_detail = "The organization has no such group."

    def __init__(self) -> None:
        super().__init__(fields={"group": [self.default_detail]})


class NameTakenError(InvalidError):
    code = "name_taken"
    default_detail = "There is already one of this name."

    def __init__(self) -> None:
        super().__init__(fields={"name": [self.default_detail]})


class InvalidInvitationError(InvalidError):
    """Raised alike for a token that is forged, too old, or made for another address.

    Args:
        field: the name of the input that the token came in.
    """

    code = "invalid_invitation"
    default_detail = "This invitation is not for this e-mail address, or no longer valid."

    def __init__(self, field: str) -> None:
        super().__init__(fields={field: [self.default_detail]})


class LastOwnerError(InvalidError):
    code = "last_owner"
    default_detail = "The last owner can't be removed or given another role."


class NotAMemberError(InvalidError):
    code = "not_a_member"
    default_detail = "You hold nothing here of your own that you could give up."


class AlreadyRequestedError(InvalidError):
    code = "already_requested"
    default_detail = "You have asked for access already; it was not answered yet."


class AlreadyHasAccessError(InvalidError):
    code = "already_has_access"
    default_detail = "You have this role already, or a stronger one."


class AlreadyAnsweredError(InvalidError):
    code = "already_answered"
    default_detail = "This request was answered already."


def first_line(error: Exception) -> str:
    """What a database said, for a log: without the lines that repeat it for each address."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
