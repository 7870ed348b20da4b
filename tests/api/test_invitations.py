"""`invitations/accept/`: an invitation is taken up by whoever reads the mail, and by nobody else."""

from __future__ import annotations

import pytest

from accounts.invitations import make_invitation_token
from accounts.models import User
from tests.factories import (
    add_to_organization,
    add_to_room,
    api_client,
    make_organization,
    make_room,
    make_user,
)

pytestmark = pytest.mark.django_db

ACCEPT = "/api/v1/invitations/accept/"


@pytest.mark.parametrize(
    "body", [{}, {"token": None}, {"token": ""}, {"token": "x" * 1001}, {"token": "a\0b"}], ids=ascii
)
def test_accept_with_a_bad_field_is_400_and_names_it(body, api, errors) -> None:
    assert list(errors.fields(api.post(ACCEPT, body))) == ["token"]


def test_accept_with_the_token_of_another_address_is_answered_like_garbage(api, user, errors) -> None:
    organization = make_organization(owner=make_user())
    add_to_organization(organization, "grace@example.com", "member")
    answers = [
        api.post(ACCEPT, {"token": token})
        for token in (make_invitation_token("grace@example.com"), "garbage", "a:b:c")
    ]
    assert [errors.code(answer, 400) for answer in answers] == ["invalid_invitation"] * 3
    assert len({answer.content for answer in answers}) == 1
    assert not organization.members.filter(user=user).exists()


def test_accept_makes_everything_of_the_address_ones_own(api, user) -> None:
    organization, room = make_organization(owner=make_user()), make_room()
    add_to_organization(organization, user.email, "guest")
    add_to_room(room, user.email, "editor")
    token = make_invitation_token(user.email)
    for _ in range(2):
        assert api.post(ACCEPT, {"token": token}).status_code == 204
    assert api.get(f"/api/v1/organizations/{organization.pk}/").json()["role"] == "guest"
    assert api.get(f"/api/v1/rooms/{room.pk}/").json()["role"] == "editor"


def test_invited_to_a_room_and_registered_with_the_token_one_can_read_it(api, user, settings) -> None:
    settings.VERIFY_INVITATIONS = True
    room = make_room(owner=user)
    api.post(f"/api/v1/rooms/{room.pk}/members/", {"email": "Grace@Example.com", "role": "viewer"})
    account = {"email": "grace@example.com", "password": "correct-horse-battery", "name": "Grace"}
    invitation = make_invitation_token("grace@example.com")
    body = api_client().post("/api/v1/auth/register/", account | {"invitation": invitation}).json()
    grace = User.objects.get(pk=body["id"])
    assert api_client(grace).get(f"/api/v1/rooms/{room.pk}/").json()["role"] == "viewer"
    members = api.get(f"/api/v1/rooms/{room.pk}/members/").json()["results"]
    assert [(member["email"], member["role"]) for member in members if member["user"] == body] == [
        (None, "viewer")
    ]
