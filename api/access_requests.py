"""`rooms/{id}/access-requests/`."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.serializers import BodySerializer, RoleField
from api.users import UserSerializer
from api.views import ApiViewSet
from collab import selectors
from collab.models import SHARED_ROLES, AccessRequest, RoomRole
from collab.services import access_requests

ROLES = [RoomRole(value) for value, _ in SHARED_ROLES]


class AccessRequestSerializer(serializers.ModelSerializer):
    """Who asks for which role; once accepted, the one that was given."""

    user = UserSerializer()

    class Meta:
        model = AccessRequest
        fields = ("id", "user", "role", "message", "status", "answered_by", "answered_at", "created_at")
        read_only_fields = fields


class NewAccessRequestSerializer(BodySerializer):
    role = RoleField(ROLES)
    message = serializers.CharField(required=False, allow_blank=True, max_length=500)


class AcceptanceSerializer(BodySerializer):
    role = RoleField(ROLES, required=False, help_text="Another role than the one that was asked for.")


class AccessRequestViewSet(ApiViewSet):
    serializer_class = AccessRequestSerializer

    def list(self, request: Request, room_id: UUID) -> Response:
        """All requests for whoever may `share` the room; one's own for everybody else who may ask."""
        return self.page_of(selectors.access_requests_visible_to(self.caller, room_id))

    @extend_schema(request=NewAccessRequestSerializer, responses={201: AccessRequestSerializer})
    def create(self, request: Request, room_id: UUID) -> Response:
        """Ask for a role: members of the organization, guests too, and whoever can read the room."""
        body = self.body(NewAccessRequestSerializer)
        made = access_requests.request_access(actor=self.caller, room_id=room_id, **body)
        return self.one(made, status=201)

    def retrieve(self, request: Request, room_id: UUID, request_id: UUID) -> Response:
        """One request."""
        return self.one(selectors.access_access_request(self.caller, room_id, request_id))

    @extend_schema(request=AcceptanceSerializer)
    def accept(self, request: Request, room_id: UUID, request_id: UUID) -> Response:
        """Give the role that was asked for, or another: needs `share`."""
        body = self.body(AcceptanceSerializer)
        return self.one(
            access_requests.accept_access_request(
                actor=self.caller, room_id=room_id, request_id=request_id, **body
            )
        )

    @extend_schema(request=None)
    def decline(self, request: Request, room_id: UUID, request_id: UUID) -> Response:
        """Answer no: needs `share`."""
        return self.one(
            access_requests.decline_access_request(actor=self.caller, room_id=room_id, request_id=request_id)
        )
