"""`organizations/{id}/groups/{id}/members/`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import selectors
from accounts.models import GroupMember
from accounts.services import groups
from api.serializers import BodySerializer, EmailField
from api.users import UserSerializer
from api.views import ApiViewSet


class GroupMemberSerializer(serializers.ModelSerializer):
    """A member of the organization in the group: `user`, or `email` of one who is only invited."""

    user = UserSerializer(source="member.user", allow_null=True)
    email = serializers.EmailField(source="member.email", allow_null=True)

    class Meta:
        model = GroupMember
        fields = ("id", "user", "email", "created_at")
        read_only_fields = fields


class NewGroupMemberSerializer(BodySerializer):
    """`email` or `user` says who."""

    email = EmailField(required=False)
    user = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Give either email or user.")
        return attrs


class GroupMemberViewSet(ApiViewSet):
    serializer_class = GroupMemberSerializer

    def list(self, request: Request, organization_id: UUID, group_id: UUID) -> Response:
        """Who is in the group: every member of the organization but guests."""
        return self.page_of(selectors.group_members_visible_to(self.caller, organization_id, group_id))

    @extend_schema(request=NewGroupMemberSerializer, responses={201: GroupMemberSerializer})
    def create(self, request: Request, organization_id: UUID, group_id: UUID) -> Response:
        """Put a member of the organization, or one who is invited, into the group: owners and admins."""
        body = self.body(NewGroupMemberSerializer)
        member = groups.add_group_member(
            actor=self.caller,
            organization_id=organization_id,
            group_id=group_id,
            email=body.get("email"),
            user_id=body.get("user"),
        )
        return self.one(member, status=201)

    def retrieve(self, request: Request, organization_id: UUID, group_id: UUID, member_id: UUID) -> Response:
        """One member."""
        return self.one(selectors.access_group_member(self.caller, organization_id, group_id, member_id))

    def destroy(self, request: Request, organization_id: UUID, group_id: UUID, member_id: UUID) -> Response:
        """Take them out of the group: owners and admins."""
        groups.remove_group_member(
            actor=self.caller, organization_id=organization_id, group_id=group_id, member_id=member_id
        )
        return Response(status=204)
