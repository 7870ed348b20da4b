"""`rooms/{id}/members/`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.etags import conditional
from api.groups import GroupSerializer
from api.serializers import BodySerializer, EmailField, RoleField
from api.users import UserSerializer
from api.views import ApiViewSet
from collab import selectors
from collab.models import RoomMember, RoomRole
from collab.services import members


class RoomMemberSerializer(serializers.ModelSerializer):
    """A membership of `user` or `group`, or an invitation of `email`."""

    user = UserSerializer(allow_null=True)
    group = GroupSerializer(allow_null=True)

    class Meta:
        model = RoomMember
        fields = ("id", "user", "group", "email", "role", "created_at")
        read_only_fields = fields


class NewRoomMemberSerializer(BodySerializer):
    """`email`, `user` or `group` says who."""

    email = EmailField(required=False)
    user = serializers.UUIDField(required=False)
    group = serializers.UUIDField(required=False)
    role = RoleField(RoomRole)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 2:
            raise serializers.ValidationError("Give one of email, user and group.")
        return attrs


class RoomMemberRoleSerializer(BodySerializer):
    role = RoleField(RoomRole)


class RoomMemberViewSet(ApiViewSet):
    serializer_class = RoomMemberSerializer

    def list(self, request: Request, room_id: UUID) -> Response:
        """Who the room is shared with by name, for whoever may read it."""
        return self.page_of(selectors.room_members_visible_to(self.caller, room_id))

    @extend_schema(request=NewRoomMemberSerializer, responses={201: RoomMemberSerializer})
    def create(self, request: Request, room_id: UUID) -> Response:
        """Share the room with a user or a group of its organization, or invite an address: needs `share`."""
        body = self.body(NewRoomMemberSerializer)
        member = members.add_room_member(
            actor=self.caller,
            room_id=room_id,
            email=body.get("email"),
            user_id=body.get("user"),
            group_id=body.get("group"),
            role=body["role"],
        )
        return self.one(member, status=201)

    def retrieve(self, request: Request, room_id: UUID, member_id: UUID) -> Response:
        """One member."""
        return self.one(selectors.access_room_member(self.caller, room_id, member_id))

    @conditional
    @extend_schema(request=RoomMemberRoleSerializer)
    def partial_update(self, request: Request, room_id: UUID, member_id: UUID) -> Response:
        """Change the role: needs `share`."""
        body = self.body(RoomMemberRoleSerializer)
        return self.one(
            members.change_room_member_role(
                actor=self.caller, room_id=room_id, member_id=member_id, if_match=self.if_match, **body
            )
        )

    @conditional
    def destroy(self, request: Request, room_id: UUID, member_id: UUID) -> Response:
        """Revoke: needs `share`."""
        members.remove_room_member(
            actor=self.caller, room_id=room_id, member_id=member_id, if_match=self.if_match
        )
        return Response(status=204)
