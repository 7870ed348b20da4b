"""Tokens of an identity provider: good ones are read, all others refused, and it is not asked too often."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from accounts import oidc
from accounts.oidc import ExternalTokenError, ProviderUnavailableError, Verifier
from tests.engine.scripted import FakeClock
from tests.support.identity_provider import (
    ISSUER,
    IdentityProvider,
    new_ec_key,
    new_rsa_key,
    public_jwk,
    running_identity_provider,
)


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    with running_identity_provider() as provider:
        yield provider


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def verifier(provider: IdentityProvider, clock: FakeClock) -> Verifier:
    return Verifier(provider.settings, clock)


def assert_refused(verifier: Verifier, token: str, reason: str = "Token is invalid.") -> None:
    with pytest.raises(ExternalTokenError, match=reason):
        verifier.verify(token.encode())


# -- refused


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "another"}, "audience"),
        ({"aud": ["another", "third"]}, "audience"),
        ({"iss": "https://evil.example.com/"}, "invalid"),
        ({"exp": int(time.time()) - 60}, "expired"),
        ({"nbf": int(time.time()) + 600}, "invalid"),
        ({"iat": int(time.time()) + 600}, "invalid"),
        ({"exp": "tomorrow"}, "invalid"),
        ({"exp": float("inf")}, "invalid"),
        ({"sub": ""}, "nobody"),
        ({"sub": "x" * 256}, "nobody"),
        ({"organization": ""}, "no organization"),
        ({"organization": ["engines"]}, "no organization"),
        ({"organization": None}, "no organization"),
        ({"organization": "en\0gines"}, "no organization"),
        ({"organization": "x" * 256}, "no organization"),
    ],
)
def test_token_with_a_wrong_claim_is_refused(
    verifier: Verifier, provider: IdentityProvider, claims: dict[str, Any], reason: str
) -> None:
    assert_refused(verifier, provider.token(**claims), reason)


@pytest.mark.parametrize("claim", ["exp", "iat", "sub", "aud", "iss", "organization"])
def test_token_without_a_needed_claim_is_refused(
    verifier: Verifier, provider: IdentityProvider, claim: str
) -> None:
    assert_refused(verifier, provider.token(without=claim), "Token")


def test_token_of_another_key_with_a_known_id_is_refused(
    verifier: Verifier, provider: IdentityProvider
) -> None:
    assert_refused(verifier, provider.token("rsa", key=new_rsa_key()))
    assert_refused(verifier, provider.token("rsa", key=new_ec_key()))
    assert_refused(verifier, provider.token("ec", key=new_rsa_key()))


def test_token_of_an_unknown_key_is_refused(verifier: Verifier, provider: IdentityProvider) -> None:
    assert_refused(verifier, provider.token("other", key=new_rsa_key()), "unknown key")


def test_token_signed_with_a_public_key_as_a_secret_is_refused(
    verifier: Verifier, provider: IdentityProvider
) -> None:
    """The confusion of RS256 with HS256: the public key is known to everybody."""
    pem = provider.keys["rsa"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = _segment({"alg": "HS256", "typ": "JWT", "kid": "rsa"})
    body = provider.token().split(".")[1]
    digest = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = digest.sign(f"{head}.{body}".encode(), pem)
    assert_refused(verifier, f"{head}.{body}.{_encoded(signature)}")


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "HS256", "HS512", "RS512", "PS256", "ES384", "", None, 5, ["RS256"]]
)
def test_token_that_names_another_algorithm_is_refused_without_asking_anybody(
    verifier: Verifier, provider: IdentityProvider, algorithm: object
) -> None:
    _, body, signature = provider.token().split(".")
    assert_refused(verifier, f"{_segment({'alg': algorithm, 'kid': 'rsa'})}.{body}.{signature}")
    assert_refused(verifier, f"{_segment({'alg': algorithm, 'kid': 'rsa'})}.{body}.")
    assert provider.requests == 0


@pytest.mark.parametrize("key_id", [5, ["rsa"], {"rsa": 1}, True])
def test_token_with_a_malformed_key_id_is_refused(
    verifier: Verifier, provider: IdentityProvider, key_id: object
) -> None:
    _, body, signature = provider.token().split(".")
    assert_refused(verifier, f"{_segment({'alg': 'RS256', 'kid': key_id})}.{body}.{signature}")


def test_token_with_a_changed_body_is_refused(verifier: Verifier, provider: IdentityProvider) -> None:
    head, _, signature = provider.token().split(".")
    assert_refused(verifier, f"{head}.{provider.token(sub='bob').split('.')[1]}.{signature}")


def test_keys_for_other_uses_verify_nothing(verifier: Verifier, provider: IdentityProvider) -> None:
    provider.add_key("encryption", new_rsa_key(), use="enc")
    provider.add_key("p384", new_ec_key(ec.SECP384R1()))
    provider.published.append({"kty": "oct", "kid": "secret", "k": _encoded(b"x" * 32)})
    provider.published.append({"kty": "nonsense", "kid": "nonsense"})
    assert_refused(verifier, provider.token("encryption"), "unknown key")
    assert_refused(verifier, provider.token("p384", algorithm="ES384"))
    assert_refused(verifier, provider.token("secret", key=b"x" * 32, algorithm="HS256"))
    assert verifier.verify(provider.token().encode())


def test_token_without_a_key_id_is_refused_where_there_are_several_keys(
    verifier: Verifier, provider: IdentityProvider
) -> None:
    assert_refused(verifier, provider.token(None, key=provider.keys["rsa"]), "unknown key")


@pytest.mark.parametrize("raw", [b"", b"x", b"a.b.c", b"\xff.\xff.\xff", b"e30.e30.", b"." * 5000])
def test_garbage_is_of_no_provider_and_refused(verifier: Verifier, raw: bytes) -> None:
    assert not verifier.claims(raw)
    with pytest.raises(ExternalTokenError):
        verifier.verify(raw)


def test_deep_nesting_is_refused(verifier: Verifier) -> None:
    nested = _encoded(b"[" * 4000 + b"]" * 4000)
    for raw in (f"{nested}.{nested}.a", f"{_segment({'alg': 'RS256'})}.{nested}.a"):
        assert not verifier.claims(raw.encode())
        assert_refused(verifier, raw, "Token")


# -- good


@pytest.mark.parametrize("key_id", ["rsa", "ec"])
def test_good_token_is_read(verifier: Verifier, provider: IdentityProvider, key_id: str) -> None:
    expires_at = int(time.time()) + 100
    raw = provider.token(key_id, exp=expires_at).encode()
    assert verifier.claims(raw)
    found = verifier.verify(raw)
    assert (found.issuer, found.subject, found.organization) == (ISSUER, "ada", "engines")
    assert (found.name, found.email, found.is_email_verified) == ("Ada", "ada@example.com", True)
    assert found.expires_at == expires_at + oidc.LEEWAY_S


@pytest.mark.parametrize("verified", [False, None, "false", 1.5, "yes", 1, []])
def test_address_is_verified_only_if_the_provider_says_so(
    verifier: Verifier, provider: IdentityProvider, verified: object
) -> None:
    assert not verifier.verify(provider.token(email_verified=verified).encode()).is_email_verified


def test_token_for_several_audiences_is_good_for_each(verifier: Verifier, provider: IdentityProvider) -> None:
    assert verifier.verify(provider.token(aud=["another", "gatehouse"]).encode())


def test_clocks_may_differ_a_little(verifier: Verifier, provider: IdentityProvider) -> None:
    now = int(time.time())
    assert verifier.verify(provider.token(exp=now - 5, iat=now + 5, nbf=now + 5).encode())


def test_single_key_needs_no_id(verifier: Verifier, provider: IdentityProvider) -> None:
    provider.published = []
    provider.add_key(None, new_ec_key())
    assert verifier.verify(provider.token(None).encode())


# -- asking the provider


def test_keys_are_asked_for_once_for_many_tokens(verifier: Verifier, provider: IdentityProvider) -> None:
    for _ in range(20):
        verifier.verify(provider.token().encode())
    assert provider.requests == 1


def test_unknown_keys_do_not_make_it_asked_more_often(
    verifier: Verifier, provider: IdentityProvider, clock: FakeClock
) -> None:
    verifier.verify(provider.token().encode())
    for number in range(50):
        assert_refused(verifier, provider.token(f"key {number}", key=provider.keys["ec"]), "unknown key")
    assert provider.requests == 1
    clock.advance(oidc.ASK_EVERY_S)
    for number in range(50):
        assert_refused(verifier, provider.token(f"key {number}", key=provider.keys["ec"]), "unknown key")
    assert provider.requests == 2


def test_new_key_is_found(verifier: Verifier, provider: IdentityProvider, clock: FakeClock) -> None:
    verifier.verify(provider.token().encode())
    provider.add_key("new", new_rsa_key())
    clock.advance(oidc.ASK_EVERY_S)
    assert verifier.verify(provider.token("new").encode())


def test_key_that_was_withdrawn_is_good_no_more_once_keys_are_asked_for_again(
    verifier: Verifier, provider: IdentityProvider, clock: FakeClock
) -> None:
    token = provider.token("rsa")
    verifier.verify(token.encode())
    provider.published = [public_jwk(provider.keys["ec"], "ec")]
    clock.advance(oidc.FRESH_S)
    assert_refused(verifier, token, "unknown key")


def test_key_that_was_replaced_under_its_id_verifies_the_new_one_alone(
    verifier: Verifier, provider: IdentityProvider, clock: FakeClock
) -> None:
    old = provider.token("rsa")
    verifier.verify(old.encode())
    provider.published = []
    provider.add_key("rsa", new_rsa_key())
    clock.advance(oidc.FRESH_S)
    assert verifier.verify(provider.token("rsa").encode())
    assert_refused(verifier, old)


BROKEN = [(503, None), (200, b"not JSON"), (200, b"[]"), (200, b'{"keys": []}'), (302, None)]


@pytest.mark.parametrize(("status", "body"), BROKEN)
def test_provider_that_does_not_answer_makes_nothing_known_about_the_token(
    verifier: Verifier, provider: IdentityProvider, status: int, body: bytes | None
) -> None:
    provider.status, provider.body = status, body
    for _ in range(5):
        with pytest.raises(ProviderUnavailableError):
            verifier.verify(provider.token().encode())
    assert provider.requests == 1


def test_provider_that_is_back_is_asked_again(
    verifier: Verifier, provider: IdentityProvider, clock: FakeClock
) -> None:
    provider.status = 500
    with pytest.raises(ProviderUnavailableError):
        verifier.verify(provider.token().encode())
    provider.status = 200
    clock.advance(oidc.ASK_EVERY_S)
    assert verifier.verify(provider.token().encode())


def test_known_keys_go_on_while_it_does_not_answer_and_end_in_time(
    verifier: Verifier, provider: IdentityProvider, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    verifier.verify(provider.token().encode())
    provider.status = 500
    clock.advance(oidc.KEPT_S - 1)
    with caplog.at_level(logging.WARNING):
        assert verifier.verify(provider.token().encode())
    assert "could not be read" in caplog.text
    clock.advance(1)
    with pytest.raises(ProviderUnavailableError):
        verifier.verify(provider.token().encode())


def test_nobody_there_is_no_answer(clock: FakeClock) -> None:
    with running_identity_provider() as provider:
        token = provider.token()
    with pytest.raises(ProviderUnavailableError):
        Verifier(provider.settings, clock).verify(token.encode())


def _segment(value: dict[str, Any]) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
