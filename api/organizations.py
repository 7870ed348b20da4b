"""`organizations/`."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import selectors
from accounts.models import Organization, OrganizationRole
from accounts.services import organizations
from api.etags import conditional
from api.serializers import BodySerializer
from api.views import ApiViewSet
from collab.services.organizations import delete_organization


class OrganizationSerializer(serializers.ModelSerializer):
    """A tenant; `role` is the caller's."""

    role = serializers.ChoiceField(OrganizationRole.choices, source="caller_role")

    class Meta:
        model = Organization
        fields = ("id", "name", "role", "created_at")
        read_only_fields = fields


class OrganizationBodySerializer(BodySerializer):
    name = serializers.CharField(max_length=150)


class OrganizationViewSet(ApiViewSet):
    serializer_class = OrganizationSerializer

    def list(self, request: Request) -> Response:
        """The organizations that the caller is a member of."""
        return self.page_of(selectors.organizations_visible_to(self.caller))

    @extend_schema(request=OrganizationBodySerializer, responses={201: OrganizationSerializer})
    def create(self, request: Request) -> Response:
        """Make an organization; the caller becomes its owner."""
        body = self.body(OrganizationBodySerializer)
        organization = organizations.create_organization(owner=self.caller, **body)
        return self._current(organization.pk, status=201)

    def retrieve(self, request: Request, organization_id: UUID) -> Response:
        """One organization."""
        return self._current(organization_id)

    @conditional
    @extend_schema(request=OrganizationBodySerializer)
    def partial_update(self, request: Request, organization_id: UUID) -> Response:
        """Change the name: owners and admins."""
        body = self.body(OrganizationBodySerializer)
        return self.one(
            organizations.rename_organization(
                actor=self.caller, organization_id=organization_id, if_match=self.if_match, **body
            )
        )

    @conditional
    def destroy(self, request: Request, organization_id: UUID) -> Response:
        """Delete it with all its rooms, for good: owners."""
        delete_organization(actor=self.caller, organization_id=organization_id, if_match=self.if_match)
        return Response(status=204)

    def _current(self, organization_id: UUID, *, status: int = 200) -> Response:
        return self.one(selectors.access_organization(self.caller, organization_id), status=status)
