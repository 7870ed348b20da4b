"""Who sends an HTTP request: the same credentials as for a WebSocket, in the header `Authorization`."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken

from accounts.models import User
from accounts.origins import origin_of_request
from accounts.tokens import Credential, TokenRefusedError, authenticate_access_token


class TokenAuthentication(JWTAuthentication):
    """`request.user` is the holder of the access token, with `origin`; `request.auth` its `Credential`."""

    def authenticate(self, request: Request) -> tuple[User, Credential] | None:  # type: ignore[override]
        header = self.get_header(request)
        raw = None if header is None else self.get_raw_token(header)
        if raw is None:
            return None
        try:
            user, credential = authenticate_access_token(raw)
        except TokenRefusedError as error:
            raise refusal_of(error) from error
        user.origin = origin_of_request(request)
        return user, credential


def refusal_of(error: TokenRefusedError) -> AuthenticationFailed:
    """The 401 for a token that was refused, in the words of the token library: without the full stop."""
    return InvalidToken({"detail": str(error).rstrip("."), "code": error.code})
