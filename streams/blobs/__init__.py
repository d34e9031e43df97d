"""Pixels in object storage: a folder or S3 behind one interface."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from streams.blobs.content import Blobs
from streams.blobs.folder import FolderStore
from streams.blobs.journal import Journal
from streams.blobs.presigned import PresignedPut, presigned_put
from streams.blobs.store import (
    BadKey,
    BadUrl,
    BlobCorrupt,
    NotFound,
    ObjectStore,
    PreconditionFailed,
    Stored,
    StoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)

__all__ = [
    "BadKey",
    "BadUrl",
    "BlobCorrupt",
    "Blobs",
    "FolderStore",
    "Journal",
    "NotFound",
    "ObjectStore",
    "PreconditionFailed",
    "PresignedPut",
    "StoreError",
    "StoreFull",
    "StoreRefused",
    "StoreUnavailable",
    "Stored",
    "open_store",
    "presigned_put",
]


def open_store(url: str, *, s3_endpoint: str | None = None) -> ObjectStore:
    """The store that a `blobs_url` or `origin_url` names; nothing is asked of it yet (that is `check()`).

    `file:///absolute/path`, `file:relative/path` (from the working directory) or `s3://bucket/prefix`.
    Raises BadUrl for anything else.
    """
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise _bad_url(url, "it has a ? or a # in it (write them as %3F and %23)")
    if parts.scheme == "file" and not parts.netloc and parts.path:
        return FolderStore(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        return _open_s3(url, parts.netloc, unquote(parts.path.strip("/")), s3_endpoint)
    raise _bad_url(url, "it names no folder and no bucket")


def _open_s3(url: str, bucket: str, prefix: str, endpoint: str | None) -> ObjectStore:
    from streams.blobs.s3 import S3Store  # boto3 takes longer to load than most commands take to run

    try:
        return S3Store(bucket, prefix, endpoint)
    except ValueError as error:
        raise _bad_url(url, str(error)) from error


def _bad_url(url: str, fault: str) -> BadUrl:
    return BadUrl(f"blobs_url or origin_url {url!r}: {fault}; give file:///path, file:path or s3://bucket/prefix")
