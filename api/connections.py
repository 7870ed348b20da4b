"""`rooms/{id}/connections/`."""

from __future__ import annotations

from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.users import UserSerializer
from api.views import ApiViewSet
from collab import selectors
from collab.models import LiveConnection
from collab.services import connections


class ConnectionSerializer(serializers.ModelSerializer):
    """An open socket in a room; `protocol` is `y-websocket` or `hocuspocus`."""

    user = UserSerializer()

    class Meta:
        model = LiveConnection
        fields = ("id", "user", "role", "since", "protocol")
        read_only_fields = fields


class ConnectionViewSet(ApiViewSet):
    serializer_class = ConnectionSerializer
    ordering = "-since"

    def list(self, request: Request, room_id: UUID) -> Response:
        """Who is connected now, in all processes, for whoever may read the room."""
        return self.page_of(selectors.connections_visible_to(self.caller, room_id))

    def destroy(self, request: Request, room_id: UUID, connection_id: UUID) -> Response:
        """Close it with 4403: needs `share`. Takes no access away."""
        connections.kick(actor=self.caller, room_id=room_id, connection_id=connection_id)
        return Response(status=204)
