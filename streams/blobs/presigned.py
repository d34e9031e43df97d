"""Puts that a store takes from whoever has a signed URL, with size, type and digest fixed."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from streams.blobs.store import ObjectStore


@dataclass(frozen=True)
class PresignedPut:
    """Where to PUT, and the headers that are to come with it, as they are signed."""

    url: str
    headers: Mapping[str, str]


def presigned_put(
    store: ObjectStore, key: str, *, content_type: str, size_bytes: int, sha256: str, valid_s: int
) -> PresignedPut | None:
    """A put into an S3 store, valid for so long; None for a store that only we can write to."""
    if not store.url.startswith("s3://"):
        return None
    from streams.blobs.s3 import S3Store  # boto3 takes longer to load than most commands take to run

    assert isinstance(store, S3Store), "no other has such a URL"
    checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
    url = store.presigned_put(key, content_type, size_bytes, checksum, valid_s)
    headers = {"Content-Type": content_type, "Content-Length": str(size_bytes), "x-amz-checksum-sha256": checksum}
    return PresignedPut(url, headers)
