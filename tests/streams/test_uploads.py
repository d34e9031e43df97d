"""Uploads in every store: put to us, or into S3 by a URL that fixes size, type and digest."""

import hashlib
import urllib.error
import urllib.request
import uuid

import pytest

from streams.blobs import Blobs
from streams.blobs.s3 import S3Store
from streams.runtime.errors import Refused
from streams.services.ordering.uploads import Upload, Uploads
from tests.memory_store import MemoryStore

DATA = b"a picture, as far as uploads are concerned"
UPLOAD = Upload(hashlib.sha256(DATA).hexdigest(), len(DATA), "image/jpeg")


def test_a_file_that_is_put_is_its_tenants_alone() -> None:
    blobs = Blobs(MemoryStore())
    uploads = Uploads(blobs)
    assert uploads.stage("demo", UPLOAD) is None, "only we write into such a store"
    uploads.put("demo", UPLOAD, DATA)
    assert uploads.has("demo", UPLOAD)
    assert uploads.get("demo", UPLOAD.upload_id) == DATA
    assert not uploads.has("other", UPLOAD)
    with pytest.raises(Refused, match="no file was put"):
        uploads.get("other", UPLOAD.upload_id)


def test_an_id_says_all_that_was_fixed() -> None:
    assert Upload.of(UPLOAD.upload_id) == UPLOAD
    for wrong in ("", "x", UPLOAD.upload_id + "/..", UPLOAD.upload_id.upper(), f"{'a' * 64}-0-png"):
        with pytest.raises(Refused) as refused:
            Upload.of(wrong)
        assert refused.value.code == "unknown_upload"


def test_an_upload_that_was_pruned_is_not_there() -> None:
    blobs = Blobs(MemoryStore())
    uploads = Uploads(blobs)
    uploads.put("demo", UPLOAD, DATA)
    for key in list(blobs.store.keys("sha256/")):
        blobs.store.delete(key)
    with pytest.raises(Refused, match="no file was put"):
        uploads.get("demo", UPLOAD.upload_id)


def send(url: str, headers: dict[str, str], data: bytes) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method="PUT"), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_s3_takes_what_was_fixed_and_nothing_else(s3_endpoint: str) -> None:
    blobs = Blobs(S3Store("packshot", f"run-{uuid.uuid4().hex}", s3_endpoint))
    uploads = Uploads(blobs)
    staged = uploads.stage("demo", UPLOAD)
    assert staged is not None
    fields = dict(staged.headers)
    assert send(staged.url, fields, DATA[:-1] + b"!") >= 400, "another digest"
    assert send(staged.url, {**fields, "Content-Length": str(len(DATA) - 1)}, DATA[:-1]) >= 400, "another size"
    assert send(staged.url, {**fields, "Content-Type": "text/html"}, DATA) >= 400, "another type"
    assert not uploads.has("demo", UPLOAD)
    assert send(staged.url, fields, DATA) == 200
    assert uploads.has("demo", UPLOAD)
    assert uploads.get("demo", UPLOAD.upload_id) == DATA
    assert list(blobs.store.keys("uploads/")) == []
    assert uploads.get("demo", UPLOAD.upload_id) == DATA


def test_what_a_store_took_that_is_another_file_is_refused() -> None:
    blobs = Blobs(MemoryStore())
    uploads = Uploads(blobs)
    uploads.put("demo", UPLOAD, DATA)
    (key,) = blobs.store.keys("results/")
    blobs.store.delete(key)
    blobs.store.put(key.replace("results/", "uploads/"), b"something else")
    with pytest.raises(Refused) as refused:
        uploads.get("demo", UPLOAD.upload_id)
    assert refused.value.code == "upload_mismatch"
