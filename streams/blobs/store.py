"""Object storage as Packshot needs it: whole objects under a key, compare-and-set, listing in key order.

The errors:

    StoreError
    ├── NotFound              no object under this key
    ├── PreconditionFailed    somebody else was first: the object is not the one that was expected
    ├── BadKey                the key is not one that every store can hold
    ├── BadUrl                the setting does not name a store
    ├── BlobCorrupt           the bytes are not those that the digest promises
    ├── StoreRefused          the credentials or the permissions do not allow it
    ├── StoreUnavailable      the network, the server or the disk does not answer (also runtime.errors.Unavailable)
    └── StoreFull             no space or no quota is left (also runtime.errors.Unavailable)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from streams.runtime.errors import Unavailable

KEY_BYTES_MAX = 900
PART_BYTES_MAX = 255
DEFAULT_CONTENT_TYPE = "application/octet-stream"


class StoreError(Exception):
    """Something about object storage; the message names the store and the key."""


class NotFound(StoreError, LookupError):
    """No object is stored under the key."""


class PreconditionFailed(StoreError):
    """The object is not the one that the caller expected, or is there already."""


class BadKey(StoreError, ValueError):
    """The key breaks a rule that holds in every store."""


class BadUrl(StoreError, ValueError):
    """The URL in the settings does not name a store."""


class BlobCorrupt(StoreError, ValueError):
    """The stored bytes do not have the digest they are stored under."""


class StoreRefused(StoreError):
    """The store answers, and says no whatever is asked: credentials, permissions, no such bucket."""


class StoreUnavailable(StoreError, Unavailable):
    """The store does not answer now; the same call may work later."""


class StoreFull(StoreError, Unavailable):
    """The store has no space or quota left."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One object: its bytes, its opaque `etag` for compare-and-set, and the headers it is served with."""

    data: bytes
    etag: str
    content_type: str
    cache_control: str | None = None


class ObjectStore(Protocol):
    """A place for whole objects. Every method is safe to call from several threads.

    Readers see an object entirely as one `put` wrote it, never half. `StoreUnavailable`, `StoreFull` and
    `StoreRefused` may come out of every method, `BadKey` out of every method that takes a key.
    """

    url: str

    def get(self, key: str) -> Stored:
        """The object under `key`. Raises NotFound."""

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        cache_control: str | None = None,
        if_match: str | None = None,
        if_absent: bool = False,
    ) -> str:
        """Store `data` and return its etag.

        With `if_match` only over the object that has this etag, with `if_absent` only where there is none;
        else raises PreconditionFailed. A store that repeats a request whose answer was lost may raise it for
        the caller's own write: read again before concluding that somebody else won.
        """

    def exists(self, key: str) -> bool:
        """Whether an object is stored under `key`."""

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens when there is none."""

    def delete_prefix(self, prefix: str) -> None:
        """Remove every object whose key starts with `prefix`, which may not be empty."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with `prefix`, in the order of their UTF-8 bytes."""

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """The same keys, each with the size of its object in bytes."""

    def written(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """The same keys, each with the time when its object was last put, Unix ms by the store's clock.

        Some stores know whole seconds only.
        """

    def written_at_ms(self, key: str) -> int | None:
        """When the object under `key` was last put, as `written` tells it; None when there is none."""

    def check(self) -> None:
        """Raise StoreUnavailable or StoreRefused, in a sentence for the operator, when the store is of no use now."""


def check_key(key: str) -> str:
    """`key` itself when every store can hold it, else raises BadKey.

    Parts are separated by "/"; none is empty, starts with a dot, holds a control character or a backslash, or
    is longer than 255 bytes; the whole is at most 900 bytes of UTF-8.
    """
    if fault := _key_fault(key):
        raise BadKey(f"key {key!r}: {fault}")
    return key


def check_prefix(prefix: str) -> str:
    """`prefix` itself when keys can start with it, else raises BadKey."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def _key_fault(key: str) -> str | None:
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if size_bytes > KEY_BYTES_MAX:
        return f"is {size_bytes} bytes long, at most {KEY_BYTES_MAX} are allowed"
    if any(ord(char) < 32 or char in "\\\x7f" for char in key):
        return "holds a control character or a backslash"
    for part in key.split("/"):
        if not part:
            return "has an empty part (a leading, trailing or double slash)"
        if part.startswith("."):
            return f"part {part!r} starts with a dot"
        if len(part.encode()) > PART_BYTES_MAX:
            return f"part {part[:20]!r}… is longer than {PART_BYTES_MAX} bytes"
    return None
