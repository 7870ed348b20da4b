"""The routes under `/api/v1/`."""

from __future__ import annotations

from typing import Any

from django.urls import path

from api import tokens
from api.access_requests import AccessRequestViewSet
from api.audit import OrganizationAuditViewSet, RoomAuditViewSet
from api.connections import ConnectionViewSet
from api.group_members import GroupMemberViewSet
from api.groups import GroupViewSet
from api.invitations import InvitationViewSet
from api.organization_members import OrganizationMemberViewSet
from api.organizations import OrganizationViewSet
from api.passwords import PasswordViewSet
from api.room_members import RoomMemberViewSet
from api.rooms import RoomViewSet
from api.share_links import RedemptionViewSet, ShareLinkViewSet
from api.tickets import TicketViewSet
from api.users import OwnUserViewSet, RegistrationViewSet

_COLLECTION: dict[str, Any] = {"get": "list", "post": "create"}
_ITEM: dict[str, Any] = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}

urlpatterns = [
    path("auth/register/", RegistrationViewSet.as_view({"post": "create"})),
    path("token/", tokens.ObtainTokenView.as_view()),
    path("token/refresh/", tokens.RefreshTokenView.as_view()),
    path("token/verify/", tokens.VerifyTokenView.as_view()),
    path("token/blacklist/", tokens.BlacklistTokenView.as_view()),
    path("users/me/", OwnUserViewSet.as_view(_ITEM)),
    path("users/me/password/", PasswordViewSet.as_view({"post": "create"})),
    path("invitations/accept/", InvitationViewSet.as_view({"post": "accept"})),
    path("organizations/", OrganizationViewSet.as_view(_COLLECTION)),
    path("organizations/<uuid:organization_id>/", OrganizationViewSet.as_view(_ITEM)),
    path("organizations/<uuid:organization_id>/members/", OrganizationMemberViewSet.as_view(_COLLECTION)),
    path(
        "organizations/<uuid:organization_id>/members/<uuid:member_id>/",
        OrganizationMemberViewSet.as_view(_ITEM),
    ),
    path("organizations/<uuid:organization_id>/groups/", GroupViewSet.as_view(_COLLECTION)),
    path("organizations/<uuid:organization_id>/groups/<uuid:group_id>/", GroupViewSet.as_view(_ITEM)),
    path(
        "organizations/<uuid:organization_id>/groups/<uuid:group_id>/members/",
        GroupMemberViewSet.as_view(_COLLECTION),
    ),
    path(
        "organizations/<uuid:organization_id>/groups/<uuid:group_id>/members/<uuid:member_id>/",
        GroupMemberViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
    ),
    path("organizations/<uuid:organization_id>/audit/", OrganizationAuditViewSet.as_view({"get": "list"})),
    path(
        "organizations/<uuid:organization_id>/audit/export/",
        OrganizationAuditViewSet.as_view({"get": "export"}),
    ),
    path("rooms/", RoomViewSet.as_view(_COLLECTION)),
    path("rooms/<uuid:room_id>/", RoomViewSet.as_view(_ITEM)),
    path("rooms/<uuid:room_id>/restore/", RoomViewSet.as_view({"post": "restore"})),
    path("rooms/<uuid:room_id>/transfer/", RoomViewSet.as_view({"post": "transfer"})),
    path("rooms/<uuid:room_id>/leave/", RoomViewSet.as_view({"post": "leave"})),
    path("rooms/<uuid:room_id>/members/", RoomMemberViewSet.as_view(_COLLECTION)),
    path("rooms/<uuid:room_id>/members/<uuid:member_id>/", RoomMemberViewSet.as_view(_ITEM)),
    path("rooms/<uuid:room_id>/share-links/", ShareLinkViewSet.as_view(_COLLECTION)),
    path("rooms/<uuid:room_id>/share-links/<uuid:link_id>/", ShareLinkViewSet.as_view(_ITEM)),
    path("share-links/redeem/", RedemptionViewSet.as_view({"post": "create"})),
    path("rooms/<uuid:room_id>/ticket/", TicketViewSet.as_view({"post": "create"})),
    path("rooms/<uuid:room_id>/access-requests/", AccessRequestViewSet.as_view(_COLLECTION)),
    path(
        "rooms/<uuid:room_id>/access-requests/<uuid:request_id>/",
        AccessRequestViewSet.as_view({"get": "retrieve"}),
    ),
    path(
        "rooms/<uuid:room_id>/access-requests/<uuid:request_id>/accept/",
        AccessRequestViewSet.as_view({"post": "accept"}),
    ),
    path(
        "rooms/<uuid:room_id>/access-requests/<uuid:request_id>/decline/",
        AccessRequestViewSet.as_view({"post": "decline"}),
    ),
    path("rooms/<uuid:room_id>/connections/", ConnectionViewSet.as_view({"get": "list"})),
    path(
        "rooms/<uuid:room_id>/connections/<uuid:connection_id>/",
        ConnectionViewSet.as_view({"delete": "destroy"}),
    ),
    path("rooms/<uuid:room_id>/audit/", RoomAuditViewSet.as_view({"get": "list"})),
    path("rooms/<uuid:room_id>/audit/export/", RoomAuditViewSet.as_view({"get": "export"})),
]
