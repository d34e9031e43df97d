"""What a receiver of webhooks checks before it believes a word: Standard Webhooks 1.0.0, v1 and v1a."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

import msgspec

TOLERANCE_S = 300.0  # the standard's: older ones may be somebody's recording
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class BadSignature(Exception):
    """A request that is none of the sender's, or not of now: answer it 401."""


def verified(headers: Mapping[str, str], body: bytes, secret: str, now_s: float | None = None) -> Any:
    """The event in a request's body, as it came, to the byte. `webhook-id` is the same in repeats.

    `secret` is the `whsec_…`, or the public key `whpk_…`, that was shown when the endpoint was added; of v1a keys
    cryptography is needed. Raises BadSignature.
    """
    named = {name.lower(): value for name, value in headers.items()}
    message, at, signatures = (named.get(name, "") for name in HEADERS)
    if not (at.isascii() and at.isdigit()) or abs((time.time() if now_s is None else now_s) - int(at)) > TOLERANCE_S:
        raise BadSignature("the time of the request is missing, or too far from now")
    signed = f"{message}.{at}.".encode() + body
    if not any(_is_of(each, signed, secret) for each in signatures.split(" ")):
        raise BadSignature("no signature fits")
    return msgspec.json.decode(body)


def _is_of(signature: str, signed: bytes, secret: str) -> bool:
    scheme, _, text = signature.partition(",")
    try:
        sent = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    if scheme == "v1" and secret.startswith("whsec_"):
        return hmac.compare_digest(sent, hmac.digest(_key(secret, "whsec_"), signed, hashlib.sha256))
    return scheme == "v1a" and secret.startswith("whpk_") and _is_signed(sent, signed, _key(secret, "whpk_"))


def _is_signed(signature: bytes, signed: bytes, public_key: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _key(secret: str, prefix: str) -> bytes:
    text = secret.removeprefix(prefix)
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
