"""`invitations/accept/`."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.invitations import MAX_TOKEN_LENGTH
from accounts.services import invitations
from api.serializers import BodySerializer
from api.views import ApiViewSet


class InvitationTokenSerializer(BodySerializer):
    token = serializers.CharField(max_length=MAX_TOKEN_LENGTH)


class InvitationViewSet(ApiViewSet):
    serializer_class = InvitationTokenSerializer

    @extend_schema(request=InvitationTokenSerializer, responses={204: None})
    def accept(self, request: Request) -> Response:
        """Take up all that one's own address is invited to, with the token of any such mail."""
        invitations.accept_invitations(user=self.caller, **self.body(InvitationTokenSerializer))
        return Response(status=204)
