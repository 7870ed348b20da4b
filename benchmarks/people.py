"""Users, rooms and tokens for a run, written straight into the database: `python -m benchmarks.people`.

Reads `{"rooms", "users", "outsiders"}`, numbers, from the standard input, and prints `{"rooms": [id…],
"tokens": [token…]}`. Every user is a member of one organization and editor of every room, by a membership of
their own; outsiders have an account and nothing else.
"""

from __future__ import annotations

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402  # needs the settings
from django.db import transaction  # noqa: E402
from rest_framework_simplejwt.tokens import AccessToken  # noqa: E402

from accounts.models import Organization, OrganizationMember, OrganizationRole, User  # noqa: E402
from collab.models import Room, RoomHead, RoomMember, RoomRole  # noqa: E402

BATCH = 5_000


@transaction.atomic
def make_people(rooms: int, users: int, outsiders: int) -> dict[str, list[str]]:
    """Rooms and users, all of one organization."""
    password = make_password("one for all of them: each hash takes a third of a second")
    people = [_user("user", number, password) for number in range(users)]
    User.objects.bulk_create([*people, *(_user("outsider", n, password) for n in range(outsiders))], BATCH)
    organization = Organization.objects.create(name="Benchmark")
    OrganizationMember.objects.bulk_create(
        [
            OrganizationMember(organization=organization, user=user, role=OrganizationRole.MEMBER)
            for user in people
        ],
        BATCH,
    )
    places = [Room(organization=organization, name=f"Room {n}") for n in range(rooms)]
    Room.objects.bulk_create(places, BATCH)
    RoomHead.objects.bulk_create([RoomHead(room=room) for room in places], BATCH)
    RoomMember.objects.bulk_create(
        [
            RoomMember(room=room, user=user, role=RoomRole.EDITOR if number else RoomRole.OWNER)
            for room in places
            for number, user in enumerate(people)
        ],
        BATCH,
    )
    return {
        "rooms": [str(room.pk) for room in places],
        "tokens": [str(AccessToken.for_user(user)) for user in people],
    }


def _user(kind: str, number: int, password: str) -> User:
    return User(email=f"{kind}-{number}@example.com", name=f"{kind} {number}", password=password)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(make_people(**json.load(sys.stdin))))
