"""`organizations/{id}/members/`."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import selectors
from accounts.models import OrganizationMember, OrganizationRole
from accounts.services import organizations
from api.etags import conditional
from api.serializers import BodySerializer, EmailField, RoleField
from api.users import UserSerializer
from api.views import ApiViewSet
from collab.services.organizations import remove_organization_member


class OrganizationMemberSerializer(serializers.ModelSerializer):
    """A membership of `user`, or an invitation of `email`."""

    user = UserSerializer(allow_null=True)

    class Meta:
        model = OrganizationMember
        fields = ("id", "user", "email", "role", "created_at")
        read_only_fields = fields


class NewOrganizationMemberSerializer(BodySerializer):
    email = EmailField()
    role = RoleField(OrganizationRole)


class OrganizationMemberRoleSerializer(BodySerializer):
    role = RoleField(OrganizationRole)


class OrganizationMemberViewSet(ApiViewSet):
    serializer_class = OrganizationMemberSerializer

    def list(self, request: Request, organization_id: UUID) -> Response:
        """The members; a guest sees only themselves."""
        return self.page_of(selectors.organization_members_visible_to(self.caller, organization_id))

    @extend_schema(request=NewOrganizationMemberSerializer, responses={201: OrganizationMemberSerializer})
    def create(self, request: Request, organization_id: UUID) -> Response:
        """Add the account with this e-mail address, or invite it: owners and admins; a new owner, owners."""
        body = self.body(NewOrganizationMemberSerializer)
        member = organizations.add_organization_member(
            actor=self.caller, organization_id=organization_id, **body
        )
        return self.one(member, status=201)

    def retrieve(self, request: Request, organization_id: UUID, member_id: UUID) -> Response:
        """One member."""
        return self.one(selectors.access_organization_member(self.caller, organization_id, member_id))

    @conditional
    @extend_schema(request=OrganizationMemberRoleSerializer)
    def partial_update(self, request: Request, organization_id: UUID, member_id: UUID) -> Response:
        """Change the role: owners and admins; to or from owner, owners."""
        body = self.body(OrganizationMemberRoleSerializer)
        return self.one(
            organizations.change_organization_member_role(
                actor=self.caller,
                organization_id=organization_id,
                member_id=member_id,
                if_match=self.if_match,
                **body,
            )
        )

    @conditional
    def destroy(self, request: Request, organization_id: UUID, member_id: UUID) -> Response:
        """Remove them from the organization and from all its rooms."""
        remove_organization_member(
            actor=self.caller,
            organization_id=organization_id,
            member_id=member_id,
            if_match=self.if_match,
        )
        return Response(status=204)
