"""People whom an identity provider vouches for, over HTTP and on a socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.db import connections
from rest_framework.response import Response
from rest_framework_simplejwt.tokens import AccessToken

from accounts.audit import AuditAction
from accounts.middleware import JWTAuthMiddleware
from accounts.models import AuditEntry, ExternalIdentity, Organization, OrganizationMember, User
from accounts.services import external_users
from tests.factories import access_token, api_client, make_organization, make_user, run_together
from tests.support.identity_provider import ISSUER, IdentityProvider, running_identity_provider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def provider(settings: Any) -> Iterator[IdentityProvider]:
    with running_identity_provider() as provider:
        settings.IDENTITY_PROVIDER = provider.settings
        yield provider


def get_me(token: str) -> Response:
    client = api_client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client.get("/api/v1/users/me/")


def refused(token: str) -> tuple[str, str]:
    """Code and detail of the 401."""
    response = get_me(token)
    assert response.status_code == 401, response.content
    return response.json()["code"], response.json()["detail"]


def roles_in(external_id: str) -> dict[str, str]:
    members = OrganizationMember.objects.filter(organization__external_id=external_id)
    return {member.user.email: member.role for member in members.select_related("user")}


async def scope_after(query: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.update(scope)

    scope = {"type": "websocket", "headers": [], "subprotocols": [], "query_string": query.encode()}
    await JWTAuthMiddleware(application)(scope, None, None)  # type: ignore[arg-type]
    await sync_to_async(connections.close_all)()
    return seen


# -- refused


def test_token_of_a_provider_that_nobody_configured_is_refused(
    provider: IdentityProvider, settings: Any
) -> None:
    settings.IDENTITY_PROVIDER = None
    assert refused(provider.token()) == ("token_not_valid", "Token is invalid.")
    assert provider.requests == 0


def test_token_of_our_own_key_that_claims_the_issuer_is_refused(provider: IdentityProvider) -> None:
    """Its issuer decides that the provider's keys have to verify it, and no other."""
    user = make_user()
    ours = access_token(user)
    assert get_me(ours).status_code == 200
    token = AccessToken.for_user(user)
    token["iss"] = ISSUER
    assert refused(str(token)) == ("token_not_valid", "Token is invalid.")


def test_token_for_the_address_of_an_account_is_refused_unless_the_provider_verified_it(
    provider: IdentityProvider,
) -> None:
    make_user(email="ada@example.com")
    code, detail = refused(provider.token(email_verified=False))
    assert (code, detail) == ("email_taken", external_users.ADDRESS_TAKEN)
    assert not ExternalIdentity.objects.exists()
    assert not Organization.objects.filter(external_id="engines").exists()


@pytest.mark.parametrize("email", ["", "x", "a b@example.com", None, 5, "x" * 250 + "@example.com"])
def test_first_token_without_a_usable_address_is_refused(provider: IdentityProvider, email: object) -> None:
    refused(provider.token(email=email))
    assert not User.objects.exists()


def test_deactivated_user_stays_out(provider: IdentityProvider) -> None:
    get_me(provider.token())
    User.objects.update(is_active=False)
    assert refused(provider.token()) == ("user_inactive", "User is inactive.")
    assert refused(provider.token(organization="another"))[0] == "user_inactive"
    assert not Organization.objects.filter(external_id="another").exists()


def test_deactivated_account_is_not_linked(provider: IdentityProvider) -> None:
    make_user(email="ada@example.com", is_active=False)
    assert refused(provider.token())[0] == "user_inactive"
    assert not ExternalIdentity.objects.exists()


@pytest.mark.parametrize("claims", [{"aud": "another"}, {"exp": 1}, {"organization": ""}])
def test_bad_token_makes_nobody(provider: IdentityProvider, claims: dict[str, Any]) -> None:
    refused(provider.token(**claims))
    assert not User.objects.exists()


def test_provider_that_does_not_answer_is_503_and_not_401(provider: IdentityProvider) -> None:
    provider.status = 500
    response = get_me(provider.token())
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert response["Retry-After"]
    assert get_me(access_token(make_user())).status_code == 200


async def test_provider_that_does_not_answer_leaves_open_who_is_on_a_socket(
    provider: IdentityProvider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.status = 500
    scope = await scope_after(f"token={provider.token()}")
    assert scope["user"] == AnonymousUser()
    assert (scope["auth_error"], scope["auth_unavailable"]) == (None, True)
    assert "The identity provider does not answer" in caplog.text


async def test_bad_token_on_a_socket_is_refused(provider: IdentityProvider) -> None:
    scope = await scope_after(f"token={provider.token(aud='another')}")
    assert (scope["user"], scope["auth_error"]) == (AnonymousUser(), "Token is for another audience.")


# -- known


def test_first_token_makes_account_organization_and_membership(provider: IdentityProvider) -> None:
    response = get_me(provider.token("ec", email="Ada@Example.com"))
    assert (response.status_code, response.json()["email"], response.json()["name"]) == (
        200,
        "ada@example.com",
        "Ada",
    )
    assert not User.objects.get().has_usable_password()
    assert roles_in("engines") == {"ada@example.com": "member"}
    entry = AuditEntry.objects.get(action=AuditAction.ORGANIZATION_MEMBER_ADDED)
    assert (entry.subject_id, entry.actor_id) == (User.objects.get().pk, None)


def test_unverified_address_that_nobody_has_makes_an_account(provider: IdentityProvider) -> None:
    assert get_me(provider.token(email_verified=False)).status_code == 200


def test_later_tokens_are_known_by_their_subject_and_cost_one_query_more_than_nothing(
    provider: IdentityProvider, django_assert_num_queries: Any
) -> None:
    get_me(provider.token())
    with django_assert_num_queries(1):
        response = get_me(provider.token(email="other@example.com", name="Another"))
    assert response.json()["email"] == "ada@example.com"
    assert User.objects.count() == 1


def test_verified_address_links_the_account_that_has_it(provider: IdentityProvider) -> None:
    user = make_user(email="ada@example.com", password="correct horse")
    assert get_me(provider.token()).json()["id"] == str(user.pk)
    user.refresh_from_db()
    assert user.check_password("correct horse")
    assert roles_in("engines") == {"ada@example.com": "member"}


def test_organization_that_has_the_id_already_is_joined(provider: IdentityProvider) -> None:
    organization = make_organization(owner=make_user(email="owner@example.com"), name="Engines Ltd")
    Organization.objects.filter(pk=organization.pk).update(external_id="engines")
    get_me(provider.token())
    assert roles_in("engines") == {"owner@example.com": "owner", "ada@example.com": "member"}


@pytest.mark.parametrize(
    ("verified", "in_production", "expected"),
    [(True, True, "admin"), (True, False, "admin"), (False, False, "admin"), (False, True, "member")],
)
def test_invitation_of_an_address_is_taken_up_if_the_address_may_be_taken_for_theirs(
    provider: IdentityProvider, settings: Any, verified: bool, in_production: bool, expected: str
) -> None:
    settings.VERIFY_INVITATIONS = in_production
    for external_id in ("engines", "looms"):
        organization = Organization.objects.create(name=external_id, external_id=external_id)
        OrganizationMember.objects.create(organization=organization, email="ada@example.com", role="admin")
    assert get_me(provider.token(email_verified=verified)).status_code == 200
    user = User.objects.get()
    assert OrganizationMember.objects.get(user=user, organization__external_id="engines").role == expected
    is_taken_up = expected == "admin"
    assert user.organization_memberships.filter(organization__external_id="looms").exists() is is_taken_up
    assert OrganizationMember.objects.filter(email__isnull=False).count() == (0 if is_taken_up else 2)


def test_token_for_another_organization_adds_it_and_takes_none(provider: IdentityProvider) -> None:
    get_me(provider.token())
    get_me(provider.token(organization="looms"))
    assert roles_in("engines") == roles_in("looms") == {"ada@example.com": "member"}


def test_whoever_was_taken_out_is_not_brought_back_by_the_next_token(provider: IdentityProvider) -> None:
    get_me(provider.token())
    OrganizationMember.objects.all().delete()
    assert get_me(provider.token()).status_code == 200
    get_me(provider.token(organization="looms"))
    get_me(provider.token())
    assert roles_in("engines") == {}


def test_role_that_was_changed_stays(provider: IdentityProvider) -> None:
    get_me(provider.token())
    OrganizationMember.objects.update(role="admin")
    get_me(provider.token())
    assert roles_in("engines") == {"ada@example.com": "admin"}


def test_same_organization_for_two_people_is_one(provider: IdentityProvider) -> None:
    get_me(provider.token())
    get_me(provider.token(sub="bob", email="bob@example.com"))
    assert roles_in("engines") == {"ada@example.com": "member", "bob@example.com": "member"}


def test_first_tokens_of_one_person_at_once_make_one_account(provider: IdentityProvider) -> None:
    tokens = [provider.token() for _ in range(4)]
    responses = run_together(*(lambda token=token: get_me(token) for token in tokens))
    assert [getattr(response, "status_code", response) for response in responses] == [200] * 4
    assert (User.objects.count(), ExternalIdentity.objects.count()) == (1, 1)
    assert roles_in("engines") == {"ada@example.com": "member"}


async def test_token_on_a_socket_fills_the_scope_as_long_as_it_is_good(provider: IdentityProvider) -> None:
    scope = await scope_after(f"token={provider.token()}")
    user = await User.objects.aget()
    assert (scope["user"], scope["auth_error"]) == (user, None)
    credential = scope["credential"]
    assert (credential.user_id, credential.session_id, credential.password_fingerprint) == (
        user.pk,
        None,
        None,
    )


def test_verify_tells_whether_a_token_of_the_provider_is_good(provider: IdentityProvider) -> None:
    def verify(token: str) -> int:
        return int(api_client().post("/api/v1/token/verify/", {"token": token}).status_code)

    assert verify(provider.token()) == 200
    assert verify(provider.token(aud="another")) == 401
    external_users._verifier.cache_clear()
    provider.status = 500
    assert verify(provider.token()) == 503


async def test_token_of_our_own_goes_on_beside_it(provider: IdentityProvider) -> None:
    user = await sync_to_async(make_user)()
    scope = await scope_after(f"token={access_token(user)}")
    assert scope["user"] == user
    assert provider.requests == 0
