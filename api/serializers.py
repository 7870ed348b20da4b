"""What request bodies have in common: they are checked for form, never for right.

Fields that a body does not have are refused: a misspelt one must not pass as absent. A text is a string and
nothing that could be written as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import TextChoices
from rest_framework import serializers


class BodySerializer(serializers.Serializer):
    # No docstring: it would stand in the OpenAPI description of every body.

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            if unknown := sorted(str(name) for name in data if name not in writable):
                raise serializers.ValidationError({name: ["Unknown field."] for name in unknown})
            texts = [name for name, field in self.fields.items() if isinstance(field, serializers.CharField)]
            if wrong := [name for name in texts if not isinstance(data.get(name), str | None)]:
                raise serializers.ValidationError({name: ["Not a valid string."] for name in wrong})
        return super().to_internal_value(data)


class RoleField(serializers.ChoiceField):
    """One of some members of a role enum; says which where it is none of them."""

    def __init__(self, roles: Iterable[TextChoices], **kwargs: Any) -> None:
        self._roles = {str(role.value): role for role in roles}
        super().__init__([(value, role.label) for value, role in self._roles.items()], **kwargs)
        allowed = [*self._roles, *(["null"] if self.allow_null else [])]
        self.error_messages["invalid_choice"] = f"Unknown role. Allowed: {', '.join(allowed)}."

    def to_internal_value(self, data: Any) -> TextChoices:
        return self._roles[super().to_internal_value(data)]


class EmailField(serializers.EmailField):
    """An e-mail address as accounts have it: in lower case, before its length is checked."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).lower()
