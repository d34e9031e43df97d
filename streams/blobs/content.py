"""Pixels by what they are: content-addressed blobs, and the results that name them."""

import hashlib
import re
from contextlib import suppress

from streams.blobs.store import DEFAULT_CONTENT_TYPE, BadKey, BlobCorrupt, NotFound, ObjectStore, PreconditionFailed

_DIGEST = re.compile(r"[0-9a-f]{64}")
_RESULT_ID = re.compile(r"[A-Za-z0-9_-]{2,200}")


class Blobs:
    """Content-addressed blobs and result records in an object store.

    A blob lies under `sha256/ab/<digest>`, written once; a result record under `results/ab/<result id>`.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def put(self, data: bytes, content_type: str = DEFAULT_CONTENT_TYPE) -> str:
        """Store `data` unless it is there and return its SHA-256 as 64 hex digits."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.exists(digest):
            with suppress(PreconditionFailed):  # another worker stored the same bytes in between
                self.store.put(blob_key(digest), data, content_type=content_type, if_absent=True)
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


def blob_key(digest: str) -> str:
    """Where the blob lies. Raises BadKey unless `digest` is 64 lower-case hex digits."""
    if not _DIGEST.fullmatch(digest):
        raise BadKey(f"digest {digest!r}: a SHA-256 is 64 lower-case hex digits")
    return f"sha256/{digest[:2]}/{digest}"


def result_key(result_id: str) -> str:
    """Where the result's record lies. Raises BadKey unless the id is 2–200 letters, digits, "_" or "-"."""
    if not _RESULT_ID.fullmatch(result_id):
        raise BadKey(f"result id {result_id!r}: 2 to 200 letters, digits, underscores or hyphens are allowed")
    return f"results/{result_id[:2]}/{result_id}"
