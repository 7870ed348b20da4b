"""`rooms/{id}/ticket/`."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlencode
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.services import tickets
from accounts.tokens import Credential
from api.views import ApiViewSet
from collab import selectors


class TicketSerializer(serializers.Serializer):
    """Lets one socket into the room, once, within `expires_in` seconds."""

    ticket = serializers.CharField()
    expires_in = serializers.IntegerField()
    url = serializers.CharField(help_text="The address of that socket; it may be logged.")


class TicketViewSet(ApiViewSet):
    serializer_class = TicketSerializer

    @extend_schema(request=None, responses={201: TicketSerializer})
    def create(self, request: Request, room_id: UUID) -> Response:
        """A ticket for a socket: needs `read`. The socket lives as long as the token of this request."""
        room = selectors.access_room(self.caller, room_id)
        credential = cast("Credential", request.auth)
        ticket = tickets.issue_ticket(user=self.caller, credential=credential, room_id=room.pk)
        scheme = "wss" if request.is_secure() else "ws"
        url = f"{scheme}://{request.get_host()}/ws/{room.pk}?{urlencode({'ticket': ticket})}"
        return self.one({"ticket": ticket, "expires_in": tickets.LIFETIME_S, "url": url}, status=201)
