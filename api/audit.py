"""`rooms/{id}/audit/` and `organizations/{id}/audit/`, and both as files."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import cast
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import Error
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.audit import AuditAction
from accounts.errors import DomainError, first_line
from accounts.models import AuditEntry
from api.views import ApiViewSet
from collab.exports import ExportFormat, exported
from collab.trails import TrailFilters, described, organization_trail_visible_to, room_trail_visible_to

logger = logging.getLogger("api.audit")


class ActorSerializer(serializers.Serializer):
    """Who did it; once erased, an id and nothing else."""

    id = serializers.UUIDField()
    email = serializers.EmailField(allow_null=True)
    name = serializers.CharField(allow_null=True)


class AuditedRoomSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()


class AuditEntrySerializer(serializers.Serializer):
    """What somebody did."""

    id = serializers.UUIDField()
    number = serializers.IntegerField(help_text="From 1, without holes, in each organization.")
    created_at = serializers.DateTimeField()
    action = serializers.CharField(help_text="As in the query parameter, and some of older versions.")
    actor = ActorSerializer(allow_null=True, help_text="None for the server, and where nobody knows.")
    room = AuditedRoomSerializer(allow_null=True)
    subject_id = serializers.UUIDField(allow_null=True, help_text="The user, group or link it was done to.")
    subject_name = serializers.CharField(
        allow_null=True,
        help_text="Of the group, or of the user, if a member of the organization or its rooms.",
    )
    details = serializers.DictField()
    address = serializers.IPAddressField(allow_null=True, help_text="From where.")
    user_agent = serializers.CharField(allow_blank=True)
    digest = serializers.CharField(help_text="SHA-256 of the entry and of the digest of the one before.")


class AuditQuerySerializer(serializers.Serializer):
    action = serializers.ChoiceField([action.value for action in AuditAction], required=False)
    actor = serializers.UUIDField(required=False, help_text="The id of a user.")
    since = serializers.DateTimeField(required=False, help_text="Entries of this moment and later.")
    until = serializers.DateTimeField(required=False, help_text="Entries before this moment.")


class ExportQuerySerializer(AuditQuerySerializer):
    type = serializers.ChoiceField([kind.value for kind in ExportFormat], default=ExportFormat.CSV.value)


_EXPORT = extend_schema(
    parameters=[ExportQuerySerializer],
    responses={(200, kind.media_type): OpenApiTypes.STR for kind in ExportFormat},
)


class _TrailViewSet(ApiViewSet):
    serializer_class = AuditEntrySerializer
    ordering = "-number"

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        """A file is what it is: whatever the client says that it accepts."""
        return super().perform_content_negotiation(request, force or self.action == "export")

    def _page_of(self, trail: Callable[..., QuerySet[AuditEntry]]) -> Response:
        page = self.paginate_queryset(trail(**self.query(AuditQuerySerializer)))
        return self.get_paginated_response(self.get_serializer(described(page or []), many=True).data)

    def _file_of(self, trail: Callable[..., QuerySet[AuditEntry]], name: str) -> StreamingHttpResponse:
        query = self.query(ExportQuerySerializer)
        kind = ExportFormat(query.pop("type"))
        read = partial(trail, **cast("TrailFilters", query))
        read()  # who may not is told so before anything is sent
        return StreamingHttpResponse(
            _sent(exported(kind, read)),
            content_type=f"{kind.media_type}; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="audit-{name}.{kind}"'},
        )


class OrganizationAuditViewSet(_TrailViewSet):
    @extend_schema(parameters=[AuditQuerySerializer])
    def list(self, request: Request, organization_id: UUID) -> Response:
        """What was done in the organization, newest first: owners and admins."""
        return self._page_of(partial(organization_trail_visible_to, self.caller, organization_id))

    @_EXPORT
    def export(self, request: Request, organization_id: UUID) -> StreamingHttpResponse:
        """The same as a file, oldest first."""
        trail = partial(organization_trail_visible_to, self.caller, organization_id)
        return self._file_of(trail, f"organization-{organization_id}")


class RoomAuditViewSet(_TrailViewSet):
    @extend_schema(parameters=[AuditQuerySerializer])
    def list(self, request: Request, room_id: UUID) -> Response:
        """What was done in the room, newest first: needs `share`."""
        return self._page_of(partial(room_trail_visible_to, self.caller, room_id))

    @_EXPORT
    def export(self, request: Request, room_id: UUID) -> StreamingHttpResponse:
        """The same as a file, oldest first."""
        return self._file_of(partial(room_trail_visible_to, self.caller, room_id), f"room-{room_id}")


async def _sent(parts: Iterator[str]) -> AsyncIterator[str]:
    """Part by part, and no database connection held while a client takes its time.

    Where the right to it has ended, or the database has gone, the message is left without its end, and so is
    no whole file. The handler does that without a word for a cancelled task.
    """
    try:
        while (part := await database_sync_to_async(next)(parts, None)) is not None:
            yield part
    except (DomainError, Error) as error:
        logger.info("An export was cut off: %s", first_line(error))
        raise asyncio.CancelledError from error
