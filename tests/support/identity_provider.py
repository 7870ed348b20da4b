"""A small identity provider: it signs tokens, and serves its keys over HTTP, or does not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from accounts.oidc import ProviderSettings

ISSUER = "https://login.example.com/"
AUDIENCE = "gatehouse"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def new_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def new_ec_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve or ec.SECP256R1())


@cache
def _keys() -> tuple[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey]:
    """Made once: that takes long."""
    return new_rsa_key(), new_ec_key()


def public_jwk(key: PrivateKey, key_id: str | None, **fields: Any) -> dict[str, Any]:
    """The public half of a key, as a provider publishes it."""
    if isinstance(key, rsa.RSAPrivateKey):
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwk | ({} if key_id is None else {"kid": key_id}) | fields


class IdentityProvider:
    """`published` is what its JWKS address gives; `status` with what; `requests` how often it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.requests = 0
        self.body: bytes | None = None
        self.published: list[dict[str, Any]] = []
        self.keys: dict[str | None, PrivateKey] = {}

    @property
    def settings(self) -> ProviderSettings:
        return ProviderSettings(self.url, ISSUER, AUDIENCE, "organization")

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a server that trusts it."""
        return {"OIDC_JWKS_URL": self.url, "OIDC_ISSUER": ISSUER, "OIDC_AUDIENCE": AUDIENCE}

    def add_key(self, key_id: str | None, key: PrivateKey, **fields: Any) -> None:
        """Publish a key and sign with it where asked to."""
        self.keys[key_id] = key
        self.published.append(public_jwk(key, key_id, **fields))

    def token(
        self,
        key_id: str | None = "rsa",
        *,
        key: Any = None,
        algorithm: str | None = None,
        headers: dict[str, Any] | None = None,
        without: str = "",
        **claims: Any,
    ) -> str:
        """A token that is good, but for what is said otherwise; `without` names a claim to leave out."""
        key = key if key is not None else self.keys[key_id]
        algorithm = algorithm or ("RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256")
        now = int(time.time())
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "ada",
            "iat": now,
            "exp": now + 600,
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada",
            "organization": "engines",
            **claims,
        }
        payload.pop(without, None)
        header = ({} if key_id is None else {"kid": key_id}) | (headers or {})
        return jwt.encode(payload, key, algorithm=algorithm, headers=header)


@contextmanager
def running_identity_provider() -> Iterator[IdentityProvider]:
    """One with an RSA key "rsa" and an elliptic curve key "ec"."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # as the standard library wants it
            provider.requests += 1
            body = provider.body if provider.body is not None else json.dumps({"keys": provider.published})
            data = body if isinstance(body, bytes) else body.encode()
            self.send_response(provider.status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = IdentityProvider(f"http://127.0.0.1:{server.server_port}/jwks")
    rsa_key, ec_key = _keys()
    provider.add_key("rsa", rsa_key)
    provider.add_key("ec", ec_key)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
