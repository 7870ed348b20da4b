"""`token/…`: the token library's views, with bodies checked like all others and sessions behind them."""

from __future__ import annotations

from typing import Any, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt import serializers as simplejwt
from rest_framework_simplejwt import views
from rest_framework_simplejwt.serializers import PasswordField
from rest_framework_simplejwt.tokens import RefreshToken, UntypedToken

from accounts.authentication import IdentityProviderAwayError, authenticate_token, refusal_of
from accounts.models import User
from accounts.oidc import ProviderUnavailableError
from accounts.origins import origin_of_request
from accounts.services import sessions
from accounts.services.external_users import verifier_of
from accounts.tokens import TokenRefusedError, holder_of
from api.serializers import BodySerializer
from api.throttles import sign_in_throttles


class TokenPairSerializer(serializers.Serializer):
    """What a sign-in gives: `access` for requests, `refresh` for the next pair."""

    access = serializers.CharField()
    refresh = serializers.CharField()


class CredentialsSerializer(BodySerializer, simplejwt.TokenObtainPairSerializer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A password is what was typed: registration keeps its outer spaces too.
        self.fields["password"] = PasswordField(trim_whitespace=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        origin = origin_of_request(self.context["request"])
        try:
            simplejwt.TokenObtainSerializer.validate(self, attrs)
        except AuthenticationFailed:
            sessions.record_failed_sign_in(email=attrs["email"], origin=origin)
            raise
        user = cast("User", self.user)
        user.origin = origin
        return _pair(sessions.begin_session(user=user))


class RefreshSerializer(BodySerializer, simplejwt.TokenRefreshSerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        origin = origin_of_request(self.context["request"])
        try:
            return _pair(sessions.renew_session(refresh=attrs["refresh"], origin=origin))
        except TokenRefusedError as error:
            raise refusal_of(error) from error


class VerifySerializer(BodySerializer, simplejwt.TokenVerifySerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        raw = attrs["token"].encode("utf-8", "surrogatepass")
        try:
            if verifier_of(raw) is not None:
                authenticate_token(raw)
            else:
                super().validate(attrs)
                holder_of(UntypedToken(attrs["token"]))
        except TokenRefusedError as error:
            raise refusal_of(error) from error
        except ProviderUnavailableError as error:
            raise IdentityProviderAwayError from error
        return {}


class BlacklistSerializer(BodySerializer, simplejwt.TokenBlacklistSerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        origin = origin_of_request(self.context["request"])
        try:
            sessions.end_session(refresh=attrs["refresh"], origin=origin)
        except TokenRefusedError as error:
            raise refusal_of(error) from error
        return {}


def _pair(refresh: RefreshToken) -> dict[str, str]:
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


class ObtainTokenView(views.TokenObtainPairView):
    """Sign in with e-mail address, in any case, and password."""

    serializer_class = CredentialsSerializer

    @extend_schema(request=CredentialsSerializer, responses=TokenPairSerializer)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        throttles = sign_in_throttles(request)
        for throttle in throttles:
            throttle.check()
        try:
            return super().post(request, *args, **kwargs)
        except AuthenticationFailed:
            for throttle in throttles:
                throttle.failed()
            raise


class RefreshTokenView(views.TokenRefreshView):
    """Trade a refresh token for a new pair; the old one is blacklisted.

    If that comes again, and not at once, it was stolen or its successor was: the session ends.
    """

    serializer_class = RefreshSerializer

    @extend_schema(request=RefreshSerializer, responses=TokenPairSerializer)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class VerifyTokenView(views.TokenVerifyView):
    """Check a token's signature and age, that its session lives and that it is not blacklisted."""

    serializer_class = VerifySerializer

    @extend_schema(request=VerifySerializer, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class BlacklistTokenView(views.TokenBlacklistView):
    """Sign out: no token of this sign-in is good from now on, and its open sockets are closed (4401)."""

    serializer_class = BlacklistSerializer

    @extend_schema(request=BlacklistSerializer, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)
