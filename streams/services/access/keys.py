"""Keys of the API: made, checked and revoked. A key is shown once, when it is made, and kept as its digest."""

import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal, get_args

import msgspec

from schemas.decoding import prepare
from schemas.records import Name
from streams.facts import Database
from streams.facts.keys import USED_EVERY_MS, ApiKey, ApiKeys, Mode
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.services.reports.views import View

Scope = Literal["read", "write", "review", "operate"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
RANDOM_BYTES = 20  # 160 bits: nobody finds one by trying, so that a fast hash is enough to keep it by
RANDOM_CHARACTERS = 27  # of 62 that hold as much
CHECK_CHARACTERS = 6  # that hold a CRC-32
VALID_MAX = 2  # of one name: the old and the new one while a key is changed
ID_CHARACTERS = 12
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(rf"(psk_(?:live|test)_[0-9A-Za-z]{{{RANDOM_CHARACTERS}}})([0-9A-Za-z]{{{CHECK_CHARACTERS}}})")


class KeyView(View, frozen=True, kw_only=True):
    """What anybody may see of a key: all but its digest."""

    key_id: str
    name: str
    mode: Mode
    scopes: Sequence[str]
    tenants: Sequence[str]
    created_at_ms: int
    expires_at_ms: int | None
    revoked_at_ms: int | None
    last_used_at_ms: int | None


class NewKey(KeyView, frozen=True, kw_only=True):
    """A new key, itself included: shown this once."""

    key: str


def create(
    database: Database,
    name: str,
    tenants: tuple[str, ...],
    scopes: tuple[Scope, ...] = SCOPES,
    mode: Mode = "live",
    expires_at_ms: int | None = None,
) -> tuple[str, ApiKey]:
    """A new key, which nobody can tell again, and what is kept of it. Raises Refused."""
    _check(name, tenants)
    text = _new(mode)
    digest = digest_of(text)
    key = ApiKey(digest, digest[:ID_CHARACTERS], name, mode, scopes, tenants, now_ms(), expires_at_ms)
    if not ApiKeys(database).put(key, VALID_MAX):
        raise Refused("too_many_keys", f"{VALID_MAX} keys called {name} are valid: revoke one first", field="name")
    return text, key


def opened(database: Database, text: str) -> ApiKey | None:
    """What is known of a key that is valid now; None for any other. What is no key costs no look-up."""
    if not is_well_formed(text):
        return None
    digest, now = digest_of(text), now_ms()
    keys = ApiKeys(database)
    key = keys.find(digest)
    if key is None or not hmac.compare_digest(key.digest, digest) or not key.is_valid(now):
        return None
    if _is_long_ago(key, now):
        keys.used(digest, now)
    return key


def revoke(database: Database, key_id: str) -> None:
    """Ends a key at once. Raises Refused."""
    if not ApiKeys(database).revoke(key_id, now_ms()):
        raise Refused("unknown_key", f"no key that is not revoked has the id {key_id}", field="ID")


def view(key: ApiKey) -> KeyView:
    """A key as it is told."""
    return KeyView(**_shared(key))


def new_view(text: str, key: ApiKey) -> NewKey:
    """A new key as it is told once."""
    return NewKey(key=text, **_shared(key))


def _shared(key: ApiKey) -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name != "digest"}


def is_well_formed(text: str) -> bool:
    """Whether its check characters are right."""
    found = _KEY.fullmatch(text)
    return found is not None and _checked(found[1]) == found[2]


def digest_of(text: str) -> str:
    """What is kept of a key: its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()


def _check(name: str, tenants: tuple[str, ...]) -> None:
    for field, text in (("name", name), *(("tenants", each) for each in tenants)):
        try:
            msgspec.convert(text, Name)
        except msgspec.ValidationError as error:
            raise Refused("bad_name", f"{text!r}: {error}", field=field) from error
    if not tenants:
        raise Refused("bad_name", "a key is for one tenant at least", field="tenants")


def _new(mode: Mode) -> str:
    text = f"psk_{mode}_{_base62(int.from_bytes(secrets.token_bytes(RANDOM_BYTES)), RANDOM_CHARACTERS)}"
    return text + _checked(text)


def _checked(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), CHECK_CHARACTERS)


def _base62(number: int, characters: int) -> str:
    digits = []
    for _ in range(characters):
        number, digit = divmod(number, len(DIGITS))
        digits.append(DIGITS[digit])
    return "".join(reversed(digits))


def _is_long_ago(key: ApiKey, now: int) -> bool:
    return key.last_used_at_ms is None or key.last_used_at_ms < now - USED_EVERY_MS


prepare(KeyView, NewKey)
