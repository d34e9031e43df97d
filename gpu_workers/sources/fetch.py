"""A product photograph's bytes, from wherever the catalogue says that it lies: http(s), file or s3.

The errors are drawn as a tree in gpu_workers.sources.errors.
"""

import hashlib
import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote

from botocore.exceptions import BotoCoreError, ClientError

from gpu_workers.sources.errors import (
    BadUri,
    DigestMismatch,
    SourceError,
    SourceForbidden,
    SourceNotFound,
    SourceUnavailable,
)
from gpu_workers.sources.http import Deadline, FetchLimits, Readable, Resolve, download, read, resolve, split
from gpu_workers.sources.media_types import sniff

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["FetchLimits", "Fetched", "SourceError", "fetch", "from_file", "from_stream", "sniff"]

_NO_SUCH = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
_FORBIDDEN = frozenset({"403", "AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


@dataclass(frozen=True)
class Fetched:
    """A picture's bytes, their SHA-256 in hex, and the media type that their first bytes show."""

    data: bytes
    sha256: str
    media_type: str


def fetch(
    uri: str,
    limits: FetchLimits,
    *,
    sha256: str | None = None,
    s3: "S3Client | None" = None,
    resolve: Resolve = resolve,
) -> Fetched:
    """The picture at `uri`, whole. Raises a SourceError.

    `sha256` is the digest that the catalogue promised, if it did; `s3` the client for s3: addresses.
    """
    deadline = Deadline(uri, limits.time_s_max)
    parts = split(uri, uri)
    if parts.scheme in ("http", "https"):
        data = download(uri, limits, deadline, resolve)
    elif parts.scheme == "file":
        data = _read_file(uri, parts, limits, deadline)
    elif parts.scheme == "s3":
        data = _read_object(uri, parts, limits, deadline, s3)
    elif not parts.scheme:
        raise BadUri(uri, "no scheme: an address begins with https:, http:, file: or s3:")
    else:
        raise BadUri(uri, f"the scheme {parts.scheme!r} is none of http, https, file, s3")
    return _fetched(data, uri, sha256)


def from_file(path: Path, limits: FetchLimits) -> Fetched:
    """The picture in a file of this machine, in whatever folder, whole. Raises a SourceError that names the file."""
    name = str(path)
    return _fetched(_bytes_of(name, path, limits, Deadline(name, limits.time_s_max)), name)


def from_stream(name: str, stream: Readable, limits: FetchLimits) -> Fetched:
    """The picture in a stream, whole, however long that takes to write. Raises a SourceError that says `name`."""
    return _fetched(read(name, stream, limits, Deadline(name, math.inf)), name)


def _fetched(data: bytes, uri: str, promised: str | None = None) -> Fetched:
    digest = hashlib.sha256(data).hexdigest()
    if promised is not None and digest != promised:
        raise DigestMismatch(uri, f"the catalogue promised SHA-256 {promised}, the bytes have {digest}")
    return Fetched(data, digest, sniff(data, uri))


def _read_file(uri: str, parts: SplitResult, limits: FetchLimits, deadline: Deadline) -> bytes:
    name = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not name.startswith("/") or "\0" in name:
        raise BadUri(uri, "a file address has no host and a whole path: file:///folder/name")
    path = Path(os.path.realpath(name))
    if not any(path.is_relative_to(os.path.realpath(root)) for root in limits.file_roots):
        raise SourceForbidden(uri, "the file lies beneath none of the allowed folders")
    return _bytes_of(uri, path, limits, deadline)


def _bytes_of(uri: str, path: Path, limits: FetchLimits, deadline: Deadline) -> bytes:
    try:
        with open(path, "rb", opener=_open_at_once) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise SourceNotFound(uri, "no regular file")
            return read(uri, stream, limits, deadline)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise SourceNotFound(uri, "there is no such file") from error
    except PermissionError as error:
        raise SourceForbidden(uri, "we may not read the file") from error
    except OSError as error:
        raise SourceUnavailable(uri, f"the file cannot be read: {error.strerror}") from error


def _open_at_once(path: str, flags: int) -> int:
    # Without O_NONBLOCK, opening a named pipe waits for a writer that may never come.
    return os.open(path, flags | os.O_NONBLOCK)


def _read_object(uri: str, parts: SplitResult, limits: FetchLimits, deadline: Deadline, s3: "S3Client | None") -> bytes:
    bucket, key = parts.netloc, unquote(parts.path.removeprefix("/"))
    if not bucket or not key:
        raise BadUri(uri, "an s3 address names a bucket and a key: s3://bucket/key")
    if bucket not in limits.buckets or s3 is None:
        raise SourceForbidden(uri, f"the bucket {bucket!r} is none of the allowed ones")
    try:
        return read(uri, s3.get_object(Bucket=bucket, Key=key)["Body"], limits, deadline)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _NO_SUCH:
            raise SourceNotFound(uri, "there is no such object", transient=code != "NoSuchBucket") from error
        if code in _FORBIDDEN:
            raise SourceForbidden(uri, f"the object store refuses us: {code}") from error
        raise SourceUnavailable(uri, f"the object store answers {code}") from error
    except BotoCoreError as error:
        raise SourceUnavailable(uri, f"the object store is not to be had: {error}") from error
