"""`organizations/{id}/groups/`."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import selectors
from accounts.models import Group
from accounts.services import groups
from api.etags import conditional
from api.serializers import BodySerializer
from api.views import ApiViewSet
from collab.services.organizations import delete_group


class GroupSerializer(serializers.ModelSerializer):
    """Members of an organization who are given access together."""

    class Meta:
        model = Group
        fields = ("id", "name", "created_at")
        read_only_fields = fields


class GroupBodySerializer(BodySerializer):
    name = serializers.CharField(max_length=150)


class GroupViewSet(ApiViewSet):
    serializer_class = GroupSerializer

    def list(self, request: Request, organization_id: UUID) -> Response:
        """The groups: every member but guests."""
        return self.page_of(selectors.groups_visible_to(self.caller, organization_id))

    @extend_schema(request=GroupBodySerializer, responses={201: GroupSerializer})
    def create(self, request: Request, organization_id: UUID) -> Response:
        """Make a group: owners and admins."""
        body = self.body(GroupBodySerializer)
        group = groups.create_group(actor=self.caller, organization_id=organization_id, **body)
        return self.one(group, status=201)

    def retrieve(self, request: Request, organization_id: UUID, group_id: UUID) -> Response:
        """One group."""
        return self.one(selectors.access_group(self.caller, organization_id, group_id))

    @conditional
    @extend_schema(request=GroupBodySerializer)
    def partial_update(self, request: Request, organization_id: UUID, group_id: UUID) -> Response:
        """Change the name: owners and admins."""
        body = self.body(GroupBodySerializer)
        group = groups.rename_group(
            actor=self.caller,
            organization_id=organization_id,
            group_id=group_id,
            if_match=self.if_match,
            **body,
        )
        return self.one(group)

    @conditional
    def destroy(self, request: Request, organization_id: UUID, group_id: UUID) -> Response:
        """Delete it, and with it what it was given in rooms: owners and admins."""
        delete_group(
            actor=self.caller, organization_id=organization_id, group_id=group_id, if_match=self.if_match
        )
        return Response(status=204)
