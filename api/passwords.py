"""`users/me/password/`."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.services import passwords
from api.serializers import BodySerializer
from api.views import ApiViewSet


class PasswordChangeSerializer(BodySerializer):
    old_password = serializers.CharField(trim_whitespace=False, style={"input_type": "password"})
    new_password = serializers.CharField(
        max_length=128, trim_whitespace=False, style={"input_type": "password"}
    )


class PasswordViewSet(ApiViewSet):
    serializer_class = PasswordChangeSerializer

    @extend_schema(request=PasswordChangeSerializer, responses={204: None})
    def create(self, request: Request) -> Response:
        """Change one's own password. Every token issued before stops working, and sockets close (4401)."""
        passwords.change_password(user=self.caller, **self.body(PasswordChangeSerializer))
        return Response(status=204)
