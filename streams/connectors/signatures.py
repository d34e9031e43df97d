"""How hooks are signed: what several kinds of shops share. Comparisons take the same time whatever is wrong."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec

from streams.runtime.errors import Refused

TOLERANCE_MS = 5 * 60 * 1000  # Standard Webhooks' advice: further back it may be somebody's repeat
WHSEC = "whsec_"


def digest(secret: str | bytes, data: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.digest(secret if isinstance(secret, bytes) else secret.encode(), data, hashlib.sha256)


def check(expected: bytes, signature: str, *, is_hex: bool = False) -> None:
    """Raises Refused unless a header, base64 or hex, holds what was expected."""
    try:
        found = bytes.fromhex(signature) if is_hex else base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error):
        found = b""
    if not hmac.compare_digest(expected, found):
        raise Refused("hook_signature", "the signature is not that of this body")


def check_fresh(at_ms: int, now_ms: int, tolerance_ms: int = TOLERANCE_MS) -> None:
    """Raises Refused for what was sent longer ago, or is to be sent later."""
    if abs(now_ms - at_ms) > tolerance_ms:
        raise Refused("hook_stale", f"it is from {abs(now_ms - at_ms) / 1000:.0f} s ago or ahead")


def check_standard(headers: Mapping[str, str], body: bytes, secret: str, now_ms: int) -> str:
    """Standard Webhooks 1.0.0 by HMAC (v1): the message's id. Raises Refused."""
    message, at_s = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message or not at_s.isdecimal() or len(at_s) > 12:
        raise Refused("hook_malformed", "no webhook-id, or no webhook-timestamp", field="webhook-id")
    text = secret.removeprefix(WHSEC)
    expected = digest(base64.b64decode(text + "=" * (-len(text) % 4)), f"{message}.{at_s}.".encode() + body)
    signed = [
        each.removeprefix("v1,") for each in headers.get("webhook-signature", "").split() if each.startswith("v1,")
    ]
    if not any(fits(expected, each) for each in signed):
        raise Refused("hook_signature", "none of the signatures is that of this body", field="webhook-signature")
    check_fresh(int(at_s) * 1000, now_ms)
    return message


def parsed(body: bytes) -> Any:
    """A body as JSON. Raises Refused."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("hook_malformed", f"no JSON: {error}") from error


def text_at(value: Any, *path: str) -> str:
    """A text or number in JSON, as text. Raises Refused where it is not there."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value):
        raise Refused("hook_malformed", f"there is no {'.'.join(path)}", field=".".join(path))
    return str(value)


def fits(expected: bytes, signature: str, *, is_hex: bool = False) -> bool:
    """Whether a header, base64 or hex, holds what was expected."""
    try:
        check(expected, signature, is_hex=is_hex)
    except Refused:
        return False
    return True
