"""Who sends an HTTP request: the same credentials as for a WebSocket, in the header `Authorization`."""

from __future__ import annotations

from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken

from accounts.models import User
from accounts.oidc import ProviderUnavailableError
from accounts.origins import origin_of_request
from accounts.services.external_users import sign_in_external_user, verifier_of, verify_external_token
from accounts.tokens import Credential, TokenRefusedError, authenticate_access_token


class IdentityProviderAwayError(APIException):
    """Nobody can say whether a token is good; it may be tried again after `wait` seconds."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "unavailable"
    default_detail = "The identity provider does not answer; try again in a moment."
    wait = 5


class TokenAuthentication(JWTAuthentication):
    """`request.user` is the holder of the access token, with `origin`; `request.auth` its `Credential`."""

    def authenticate(self, request: Request) -> tuple[User, Credential] | None:  # type: ignore[override]
        header = self.get_header(request)
        raw = None if header is None else self.get_raw_token(header)
        if raw is None:
            return None
        try:
            user, credential = authenticate_token(raw)
        except TokenRefusedError as error:
            raise refusal_of(error) from error
        except ProviderUnavailableError as error:
            raise IdentityProviderAwayError from error
        user.origin = origin_of_request(request)
        return user, credential


def authenticate_token(raw: bytes) -> tuple[User, Credential]:
    """Verify a token of our own, or of the identity provider, and load its user.

    Raises:
        TokenRefusedError: it is not good.
        ProviderUnavailableError: nobody can say.
    """
    verifier = verifier_of(raw)
    if verifier is None:
        return authenticate_access_token(raw)
    return sign_in_external_user(verify_external_token(verifier, raw))


def refusal_of(error: TokenRefusedError) -> AuthenticationFailed:
    """The 401 for a token that was refused."""
    return InvalidToken({"detail": str(error), "code": error.code})
