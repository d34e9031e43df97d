"""Secrets and signatures as Standard Webhooks 1.0.0 has them: v1 is HMAC-SHA256, v1a is Ed25519 (RFC 8032).

A secret says by its prefix which it is: `whsec_` for v1, `whsk_` for v1a, whose public half is a `whpk_`.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Scheme = Literal["v1", "v1a"]
SYMMETRIC = "whsec_"
PRIVATE = "whsk_"
PUBLIC = "whpk_"
SECRET_BYTES = 32  # the standard wants 24 to 64
SEED_BYTES = 32  # of a private key; its public half may stand behind it


def new_secret(scheme: Scheme) -> str:
    """A secret that nobody has had before."""
    if scheme == "v1":
        return SYMMETRIC + _base64(secrets.token_bytes(SECRET_BYTES))
    key = _private(secrets.token_bytes(SEED_BYTES))
    return PRIVATE + _base64(key.private_bytes_raw() + key.public_key().public_bytes_raw())


def scheme_of(secret: str) -> Scheme:
    """How a secret signs. Raises ValueError for what is none."""
    if secret.startswith(SYMMETRIC):
        return "v1"
    if secret.startswith(PRIVATE):
        return "v1a"
    raise ValueError("a secret begins with whsec_ or whsk_")


def verifier(secret: str) -> str:
    """What a receiver verifies with: the public key of a `whsk_`, a `whsec_` itself."""
    if scheme_of(secret) == "v1":
        return secret
    return PUBLIC + _base64(_private(_bytes(secret, PRIVATE)).public_key().public_bytes_raw())


def headers(message: str, at_s: int, body: bytes, with_secrets: Iterable[str]) -> dict[str, str]:
    """The three headers of an attempt at `at_s`, Unix time in seconds; one signature for each secret.

    Raises ValueError where there is none: nothing is sent unsigned.
    """
    signed = f"{message}.{at_s}.".encode() + body
    signatures = " ".join(_signature(secret, signed) for secret in with_secrets)
    if not signatures:
        raise ValueError("none of the endpoint's secrets is valid")
    return {"webhook-id": message, "webhook-timestamp": str(at_s), "webhook-signature": signatures}


def _signature(secret: str, signed: bytes) -> str:
    scheme = scheme_of(secret)
    if scheme == "v1":
        return f"v1,{_base64(hmac.digest(_bytes(secret, SYMMETRIC), signed, hashlib.sha256))}"
    return f"v1a,{_base64(_private(_bytes(secret, PRIVATE)).sign(signed))}"


def _private(key: bytes) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(key[:SEED_BYTES])


def _bytes(secret: str, prefix: str) -> bytes:
    text = secret.removeprefix(prefix)
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
