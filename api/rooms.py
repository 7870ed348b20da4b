"""`rooms/`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.etags import conditional
from api.serializers import BodySerializer, RoleField
from api.views import ApiViewSet
from collab import selectors
from collab.models import ROOM_KIND_PATTERN, SHARED_ROLES, Room, RoomRole
from collab.policies import access_for
from collab.services import ownership, rooms

ORDERINGS = ("name", "-name", "created_at", "-created_at")


class AbilitiesSerializer(serializers.Serializer):
    """What the caller may do in the room."""

    read = serializers.BooleanField()
    write = serializers.BooleanField()
    share = serializers.BooleanField()
    manage = serializers.BooleanField()
    delete = serializers.BooleanField()


class RoomSerializer(serializers.ModelSerializer):
    """A room; `role` and `abilities` are the caller's: nobody has any in the trash."""

    role = serializers.SerializerMethodField()
    abilities = serializers.SerializerMethodField()

    class Meta:
        model = Room
        fields = (
            "id",
            "organization",
            "name",
            "kind",
            "organization_role",
            "created_at",
            "trashed_at",
            "role",
            "abilities",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(RoomRole.choices, allow_null=True))
    def get_role(self, room: Room) -> str | None:
        return access_for(self.context["request"].user, room).role

    @extend_schema_field(AbilitiesSerializer)
    def get_abilities(self, room: Room) -> dict[str, bool]:
        return asdict(access_for(self.context["request"].user, room).abilities)


class RoomQuerySerializer(serializers.Serializer):
    organization = serializers.UUIDField(required=False, help_text="Only rooms of this organization.")
    search = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="Part of the name, in any case."
    )
    trashed = serializers.BooleanField(
        default=False, help_text="Instead, rooms in the trash that the caller may take out."
    )
    ordering = serializers.ChoiceField(
        ORDERINGS,
        default="-created_at",
        error_messages={"invalid_choice": f"Unknown ordering. Allowed: {', '.join(ORDERINGS)}."},
    )


class KindField(serializers.RegexField):
    """The application's own word for what a room holds."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            ROOM_KIND_PATTERN, allow_blank=True, help_text=Room._meta.get_field("kind").help_text, **kwargs
        )
        self.error_messages["invalid"] = "At most 32 of the characters a to z, 0 to 9 and -."


class NewRoomSerializer(BodySerializer):
    organization = serializers.UUIDField()
    name = serializers.CharField(max_length=200)
    kind = KindField(required=False)


class RoomChangesSerializer(BodySerializer):
    name = serializers.CharField(required=False, max_length=200)
    kind = KindField(required=False)
    organization_role = RoleField(
        [RoomRole(value) for value, _ in SHARED_ROLES],
        required=False,
        allow_null=True,
        help_text="The role that every member of the organization gets; null for none.",
    )


class TransferSerializer(BodySerializer):
    user = serializers.UUIDField()


class RoomViewSet(ApiViewSet):
    serializer_class = RoomSerializer
    ordering: str

    @extend_schema(parameters=[RoomQuerySerializer])
    def list(self, request: Request) -> Response:
        """The rooms that the caller may read, or those in the trash that they may take out."""
        query = self.query(RoomQuerySerializer)
        self.ordering = query["ordering"]
        return self.page_of(
            selectors.rooms_visible_to(
                self.caller,
                organization_id=query.get("organization"),
                search=query.get("search", ""),
                trashed=query["trashed"],
            )
        )

    @extend_schema(request=NewRoomSerializer, responses={201: RoomSerializer})
    def create(self, request: Request) -> Response:
        """Make a room in an organization that the caller is a member of, and not a guest."""
        body = self.body(NewRoomSerializer)
        room = rooms.create_room(
            actor=self.caller,
            organization_id=body["organization"],
            name=body["name"],
            kind=body.get("kind", ""),
        )
        return self.one(selectors.access_room(self.caller, room.pk), status=201)

    def retrieve(self, request: Request, room_id: UUID) -> Response:
        """One room."""
        return self.one(selectors.access_room(self.caller, room_id))

    @conditional
    @extend_schema(request=RoomChangesSerializer)
    def partial_update(self, request: Request, room_id: UUID) -> Response:
        """Change the name, the kind, or the role of the organization's members: needs `manage`."""
        changes = cast("rooms.RoomChanges", self.body(RoomChangesSerializer))
        return self.one(
            rooms.update_room(actor=self.caller, room_id=room_id, if_match=self.if_match, **changes)
        )

    @conditional
    def destroy(self, request: Request, room_id: UUID) -> Response:
        """Put it in the trash: needs `delete`."""
        rooms.trash_room(actor=self.caller, room_id=room_id, if_match=self.if_match)
        return Response(status=204)

    @extend_schema(request=None)
    def restore(self, request: Request, room_id: UUID) -> Response:
        """Take it out of the trash: needs `delete`."""
        return self.one(rooms.restore_room(actor=self.caller, room_id=room_id))

    @extend_schema(request=TransferSerializer)
    def transfer(self, request: Request, room_id: UUID) -> Response:
        """Make somebody who can read the room its owner, and oneself an editor: needs `share`."""
        user_id = self.body(TransferSerializer)["user"]
        return self.one(ownership.transfer_room(actor=self.caller, room_id=room_id, user_id=user_id))

    @extend_schema(request=None, responses={204: None})
    def leave(self, request: Request, room_id: UUID) -> Response:
        """Give up one's membership and what links gave; what comes from a group or the organization stays."""
        ownership.leave_room(actor=self.caller, room_id=room_id)
        return Response(status=204)
