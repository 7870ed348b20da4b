"""Access tokens outside of HTTP views: the same rules as `JWTAuthentication`, one kind of refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django.core.exceptions import ValidationError
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User

MAX_TOKEN_BYTES = 8192


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What a connection has to remember of the token it came in with.

    `id`: its `jti` claim; `expires_at`: seconds since the epoch.
    """

    id: str | None
    expires_at: float


class TokenRefusedError(Exception):
    """The token is not good; the message says why in one sentence, without any part of the token."""


def authenticate_access_token(raw: bytes) -> tuple[User, TokenInfo]:
    """Verify an encoded access token and load its user, in one query.

    Raises:
        TokenRefusedError: malformed, forged, expired or of another type; or its user is gone, was
            deactivated, or has changed the password since it was issued.
    """
    if len(raw) > MAX_TOKEN_BYTES:
        raise TokenRefusedError("Token is too long.")
    try:
        token = AccessToken(raw)  # type: ignore[arg-type]  # annotated as Token; bytes are what it decodes
        user = cast("User", JWTAuthentication().get_user(token))
    except TokenError as error:
        raise TokenRefusedError(_sentence(error.args[0])) from error
    except AuthenticationFailed as error:
        raise TokenRefusedError(_sentence(cast("dict[str, str]", error.detail)["detail"])) from error
    except ValidationError as error:
        # Signed with our key, for a user id that is no UUID: left over from another use of the key.
        raise TokenRefusedError("Token is invalid.") from error
    return user, TokenInfo(token.get(api_settings.JTI_CLAIM), float(token["exp"]))


def _sentence(message: object) -> str:
    return str(message).rstrip(".") + "."
