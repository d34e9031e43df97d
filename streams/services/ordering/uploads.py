"""Uploads: what a file is to be is fixed first, then it is put, and then its id stands for it.

The id says what was fixed, so that nothing is kept of an upload that never comes. A file that was put to us lies in the
blob store at once; one that was put into the store by a signed URL does so when it is asked for first, once it is what
its id says. Uploads are a cache, as results are: what nobody used for long may be pruned.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

import msgspec

from gpu_workers.results import Result
from schemas.identity import content_id
from schemas.records import Blob
from streams.blobs import Blobs, NotFound, PresignedPut, presigned_put
from streams.blobs.content import filed
from streams.runtime.errors import Refused

STAGED = "uploads/"
VALID_S = 3600
_ID = re.compile(r"([0-9a-f]{64})-([1-9][0-9]{0,11})-([a-z0-9][a-z0-9.+]{0,31})")
_MEDIA_TYPE = re.compile(r"image/([a-z0-9][a-z0-9.+]{0,31})")


@dataclass(frozen=True)
class Upload:
    """What a file is to be: its SHA-256 (hex), its size and its type."""

    sha256: str
    size_bytes: int
    media_type: str

    @classmethod
    def of(cls, upload_id: str) -> Self:
        """The upload with this id. Raises Refused for what is no id."""
        found = _ID.fullmatch(upload_id)
        if found is None:
            raise Refused("unknown_upload", f"no upload has the id {upload_id!r}", field="upload_id")
        return cls(found[1], int(found[2]), f"image/{found[3]}")

    @property
    def upload_id(self) -> str:
        """All that was fixed. Raises Refused for a type that is no picture's."""
        found = _MEDIA_TYPE.fullmatch(self.media_type)
        if found is None:
            raise Refused("unsupported_media_type", f"{self.media_type!r} is no image/*", field="media_type")
        return f"{self.sha256}-{self.size_bytes}-{found[1]}"

    def check(self, data: bytes) -> None:
        """Raises Refused for a file that is another than was said."""
        if len(data) != self.size_bytes:
            raise Refused("upload_mismatch", f"{len(data)} bytes, not {self.size_bytes}", field="size_bytes")
        if (found := hashlib.sha256(data).hexdigest()) != self.sha256:
            raise Refused("upload_mismatch", f"its SHA-256 is {found}", field="sha256")


class Uploads:
    """Tenants' uploads in the blob store. Its methods raise StoreError, and Refused."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def stage(self, tenant: str, upload: Upload) -> PresignedPut | None:
        """Where the store takes a file, with what is fixed; None where it is to be put to us."""
        return presigned_put(
            self._blobs.store,
            _staged(tenant, upload),
            content_type=upload.media_type,
            size_bytes=upload.size_bytes,
            sha256=upload.sha256,
            valid_s=VALID_S,
        )

    def put(self, tenant: str, upload: Upload, data: bytes) -> None:
        """Takes a file that is what was said. Raises Refused."""
        upload.check(data)
        self._blobs.put(data, upload.media_type)
        size = {"width_px": 0, "height_px": 0, "size_bytes": len(data)}
        blob = Blob(role="upload", digest=upload.sha256, media_type=upload.media_type, **size)
        note(self._blobs, _result_id(tenant, upload), blob)

    def has(self, tenant: str, upload: Upload) -> bool:
        """Whether a tenant's file is there."""
        is_known = self._blobs.get_result(_result_id(tenant, upload)) is not None
        return is_known or self._blobs.store.exists(_staged(tenant, upload))

    def get(self, tenant: str, upload_id: str) -> bytes:
        """A tenant's file. Raises Refused for one that is not there, or is not what was said."""
        upload = Upload.of(upload_id)
        try:
            if self._blobs.renew(_result_id(tenant, upload), [upload.sha256]):
                return self._blobs.get(upload.sha256)
            data = self._blobs.store.get(_staged(tenant, upload)).data
        except NotFound as error:
            message = f"no file was put for the upload {upload_id!r}"
            raise Refused("unknown_upload", message, field="upload_id") from error
        self.put(tenant, upload, data)
        self._blobs.store.delete(_staged(tenant, upload))
        return data


def note(blobs: Blobs, result_id: str, blob: Blob) -> None:
    """Notes a file that callers sent among the results, so that it is pruned with them when nobody uses it."""
    kept = Result(outputs=[blob], measures={}, engine="", timings_ms={})
    blobs.put_result(result_id, msgspec.json.encode(kept))


def _result_id(tenant: str, upload: Upload) -> str:
    return content_id("upload", tenant, upload.upload_id)


def _staged(tenant: str, upload: Upload) -> str:
    return STAGED + filed(_result_id(tenant, upload))
