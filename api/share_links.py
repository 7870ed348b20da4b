"""`rooms/{id}/share-links/` and `share-links/redeem/`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.etags import conditional
from api.rooms import RoomSerializer
from api.serializers import BodySerializer, RoleField
from api.views import ApiViewSet
from collab import selectors
from collab.models import SHARED_ROLES, RoomRole, ShareLink
from collab.services import share_links

LINK_ROLES = [RoomRole(value) for value, _ in SHARED_ROLES]


class ShareLinkSerializer(serializers.ModelSerializer):
    """A link; what redeems it was shown once, when it was made."""

    has_password = serializers.SerializerMethodField()
    wrong_passwords = serializers.IntegerField(
        source="wrong_password_count",
        help_text="Given since its password was set by people who never got in. "
        f"From {share_links.MAX_WRONG_PASSWORDS} on it lets in nobody new until it gets another.",
    )

    class Meta:
        model = ShareLink
        fields: tuple[str, ...] = (
            "id",
            "role",
            "has_password",
            "expires_at",
            "max_uses",
            "uses",
            "wrong_passwords",
            "created_by",
            "created_at",
        )
        read_only_fields = fields

    def get_has_password(self, link: ShareLink) -> bool:
        return bool(link.password)


class CreatedShareLinkSerializer(ShareLinkSerializer):
    """The link, with its secret."""

    token = serializers.CharField(help_text="What redeems the link; not shown again.")
    url = serializers.CharField(help_text="Where the front end redeems it; not shown again.")

    class Meta(ShareLinkSerializer.Meta):
        fields = (*ShareLinkSerializer.Meta.fields, "token", "url")
        read_only_fields = fields


class PasswordField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_length=128, trim_whitespace=False, style={"input_type": "password"}, required=False, **kwargs
        )


class ShareLinkBodySerializer(BodySerializer):
    role = RoleField(LINK_ROLES)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    password = PasswordField(allow_null=True)
    max_uses = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=1_000_000,
        help_text="How many people it may let in; null for any number.",
    )

    def validate_expires_at(self, value: datetime | None) -> datetime | None:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("This is not in the future.")
        return value


class ShareLinkChangesSerializer(ShareLinkBodySerializer):
    role = RoleField(LINK_ROLES, required=False)


class RedemptionSerializer(BodySerializer):
    token = serializers.CharField(max_length=200)
    password = PasswordField()


class ShareLinkViewSet(ApiViewSet):
    serializer_class = ShareLinkSerializer

    def list(self, request: Request, room_id: UUID) -> Response:
        """The links that lead into the room: needs `share`."""
        return self.page_of(selectors.share_links_visible_to(self.caller, room_id))

    @extend_schema(request=ShareLinkBodySerializer, responses={201: CreatedShareLinkSerializer})
    def create(self, request: Request, room_id: UUID) -> Response:
        """Make a link that gives a role to whoever redeems it: needs `share`."""
        body = self.body(ShareLinkBodySerializer)
        made = share_links.create_share_link(actor=self.caller, room_id=room_id, **body)
        response = self._current(room_id, made.link.pk, status=201)
        response.data |= {"token": made.token, "url": f"{settings.FRONTEND_URL}/links/{made.token}"}
        return response

    def retrieve(self, request: Request, room_id: UUID, link_id: UUID) -> Response:
        """One link."""
        return self._current(room_id, link_id)

    @conditional
    @extend_schema(request=ShareLinkChangesSerializer)
    def partial_update(self, request: Request, room_id: UUID, link_id: UUID) -> Response:
        """Change the link, for those too whom it has let in: needs `share`."""
        changes = cast("share_links.ShareLinkChanges", self.body(ShareLinkChangesSerializer))
        share_links.update_share_link(
            actor=self.caller, room_id=room_id, link_id=link_id, if_match=self.if_match, **changes
        )
        return self._current(room_id, link_id)

    @conditional
    def destroy(self, request: Request, room_id: UUID, link_id: UUID) -> Response:
        """Delete the link, and what it gave to those whom it has let in: needs `share`."""
        share_links.delete_share_link(
            actor=self.caller, room_id=room_id, link_id=link_id, if_match=self.if_match
        )
        return Response(status=204)

    def _current(self, room_id: UUID, link_id: UUID, *, status: int = 200) -> Response:
        return self.one(selectors.access_share_link(self.caller, room_id, link_id), status=status)


class RedemptionViewSet(ApiViewSet):
    serializer_class = RoomSerializer

    @extend_schema(
        operation_id="share_links_redeem", request=RedemptionSerializer, responses={200: RoomSerializer}
    )
    def create(self, request: Request) -> Response:
        """Take what a link gives; it is the caller's as long as the link lives."""
        room_id = share_links.redeem_share_link(actor=self.caller, **self.body(RedemptionSerializer))
        return self.one(selectors.access_room(self.caller, room_id))
