"""`token/…`: the token library's views, with bodies checked like all others."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt import serializers as simplejwt
from rest_framework_simplejwt import views
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.serializers import PasswordField

from api.serializers import BodySerializer


class TokenPairSerializer(serializers.Serializer):
    """What a sign-in gives: `access` for requests, `refresh` for the next pair."""

    access = serializers.CharField()
    refresh = serializers.CharField()


class CredentialsSerializer(BodySerializer, simplejwt.TokenObtainPairSerializer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A password is what was typed: registration keeps its outer spaces too.
        self.fields["password"] = PasswordField(trim_whitespace=False)


class RefreshSerializer(BodySerializer, simplejwt.TokenRefreshSerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        # The library hands out useless tokens after a change of password, and fails for a deleted user.
        JWTAuthentication().get_user(self.token_class(attrs["refresh"]))
        return super().validate(attrs)


class VerifySerializer(BodySerializer, simplejwt.TokenVerifySerializer):
    pass


class BlacklistSerializer(BodySerializer, simplejwt.TokenBlacklistSerializer):
    pass


class ObtainTokenView(views.TokenObtainPairView):
    """Sign in with e-mail address, in any case, and password."""

    serializer_class = CredentialsSerializer

    @extend_schema(request=CredentialsSerializer, responses=TokenPairSerializer)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class RefreshTokenView(views.TokenRefreshView):
    """Trade a refresh token for a new pair; the old one is blacklisted."""

    serializer_class = RefreshSerializer

    @extend_schema(request=RefreshSerializer, responses=TokenPairSerializer)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class VerifyTokenView(views.TokenVerifyView):
    """Check a token's signature, age and, for a refresh token, that it is not blacklisted."""

    serializer_class = VerifySerializer

    @extend_schema(request=VerifySerializer, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class BlacklistTokenView(views.TokenBlacklistView):
    """Sign out: the refresh token is good for nothing from now on."""

    serializer_class = BlacklistSerializer

    @extend_schema(request=BlacklistSerializer, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)
