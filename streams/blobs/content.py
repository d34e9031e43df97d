"""Pixels by what they are: content-addressed blobs, and the results that name them."""

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from streams.blobs.store import DEFAULT_CONTENT_TYPE, BadKey, BlobCorrupt, NotFound, ObjectStore, PreconditionFailed

RENEWED_AFTER_S = 86_400.0  # far longer than any task takes; what was used since is not written anew
RESULTS = "results/"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RESULT_ID = re.compile(r"[A-Za-z0-9_-]{2,200}")


class Blobs:
    """Content-addressed blobs and result records in an object store. `clock` gives Unix time in ms.

    A blob lies under `sha256/ab/<digest>`; a result record under `results/ab/<result id>`. Both are written anew when
    they are used again a day later, so that the time at which they were written tells a prune what nobody uses.
    """

    def __init__(self, store: ObjectStore, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.store = store
        self._clock = clock

    def put(self, data: bytes, content_type: str = DEFAULT_CONTENT_TYPE) -> str:
        """Store `data` unless it is there and in use; return its SHA-256 as 64 hex digits."""
        digest = hashlib.sha256(data).hexdigest()
        key = blob_key(digest)
        if (written_ms := self.store.written_at_ms(key)) is None:
            with suppress(PreconditionFailed):  # another worker stored the same bytes in between
                self.store.put(key, data, content_type=content_type, if_absent=True)
        elif self._is_old(written_ms):
            self.store.put(key, data, content_type=content_type)
        return digest

    def get(self, digest: str) -> bytes:
        """The blob's bytes. Raises NotFound, and BlobCorrupt when they are not those that were stored."""
        data = self.store.get(blob_key(digest)).data
        if (found := hashlib.sha256(data).hexdigest()) != digest:
            raise BlobCorrupt(f"{self.store.url}: blob {digest} holds {len(data)} bytes with the digest {found}")
        return data

    def exists(self, digest: str) -> bool:
        """Whether the blob is stored."""
        return self.store.exists(blob_key(digest))

    def address(self, digest: str) -> str:
        """Where the blob lies, for people."""
        return f"{self.store.url.rstrip('/')}/{blob_key(digest)}"

    def put_result(self, result_id: str, record: bytes) -> None:
        """Store what came of the work with this id; writing the same again changes nothing."""
        self.store.put(result_key(result_id), record)

    def get_result(self, result_id: str) -> bytes | None:
        """The record stored under this id, or None when the work has not been done."""
        try:
            return self.store.get(result_key(result_id)).data
        except NotFound:
            return None

    def renew(self, result_id: str, digests: Sequence[str]) -> bool:
        """Notes that a result and the blobs that it names are used again; False when one of them is gone."""
        try:
            for key in (*map(blob_key, digests), result_key(result_id)):
                written_ms = self.store.written_at_ms(key)
                if written_ms is None or self._is_old(written_ms):
                    known = self.store.get(key)
                    self.store.put(key, known.data, content_type=known.content_type, cache_control=known.cache_control)
        except NotFound:
            return False
        return True

    def _is_old(self, written_ms: int) -> bool:
        return written_ms + RENEWED_AFTER_S * 1000 <= self._clock()


def blob_key(digest: str) -> str:
    """Where the blob lies. Raises BadKey unless `digest` is 64 lower-case hex digits."""
    if not _DIGEST.fullmatch(digest):
        raise BadKey(f"digest {digest!r}: a SHA-256 is 64 lower-case hex digits")
    return f"sha256/{digest[:2]}/{digest}"


def result_key(result_id: str) -> str:
    """Where the result's record lies. Raises BadKey unless the id is 2–200 letters, digits, "_" or "-"."""
    return f"{RESULTS}{filed(result_id)}"


def filed(record_id: str) -> str:
    """Where a record lies within its class. Raises BadKey unless the id is 2–200 letters, digits, "_" or "-"."""
    if not _RESULT_ID.fullmatch(record_id):
        raise BadKey(f"result id {record_id!r}: 2 to 200 letters, digits, underscores or hyphens are allowed")
    return f"{record_id[:2]}/{record_id}"
