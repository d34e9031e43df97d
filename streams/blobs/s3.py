"""Object storage in S3, or in anything that speaks it with conditional writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from streams.blobs.store import (
    DEFAULT_CONTENT_TYPE,
    BadKey,
    NotFound,
    PreconditionFailed,
    Stored,
    StoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
    check_key,
    check_prefix,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef, ObjectTypeDef, PutObjectRequestTypeDef

_DELETED_AT_ONCE_MAX = 1000
_BUSY = {"SlowDown", "Throttling", "RequestTimeout", "ConditionalRequestConflict", "OperationAborted"}
_FULL = {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "InsufficientCapacity"}
_NOT_ALLOWED = {301, 401, 403}
_MISSING = {"NoSuchKey", "NotFound", "404"}
_RACE_LOST = {"PreconditionFailed", "412"}


class S3Store:
    """An ObjectStore in `bucket`, every key under `prefix`. Credentials and region are found as boto3 finds them.

    `endpoint` is the server's URL when it is not AWS; its buckets are then addressed by path.
    """

    def __init__(self, bucket: str, prefix: str = "", endpoint: str | None = None) -> None:
        self.bucket = bucket
        self.prefix = f"{check_key(prefix)}/" if prefix else ""
        self.url = f"s3://{bucket}/{prefix}".removesuffix("/")
        self._client = _client(endpoint)

    def get(self, key: str) -> Stored:
        with self._errors(key):
            answer = self._client.get_object(Bucket=self.bucket, Key=self._name(key))
            with answer["Body"] as body:
                data = body.read()
        content_type = answer.get("ContentType") or DEFAULT_CONTENT_TYPE
        return Stored(data, answer["ETag"], content_type, answer.get("CacheControl") or None)

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
        request: PutObjectRequestTypeDef = {
            "Bucket": self.bucket,
            "Key": self._name(key),
            "Body": data,
            "ContentType": content_type,
        }
        if cache_control is not None:
            request["CacheControl"] = cache_control
        if if_match is not None:
            request["IfMatch"] = if_match
        if if_absent:
            request["IfNoneMatch"] = "*"
        try:
            with self._errors(key):
                return self._client.put_object(**request)["ETag"]
        except NotFound as missing:  # S3's answer when IfMatch finds no object at all
            raise PreconditionFailed(f"{self.url}: {key} is gone since it was read") from missing

    def exists(self, key: str) -> bool:
        try:
            with self._errors(key):
                self._client.head_object(Bucket=self.bucket, Key=self._name(key))
        except NotFound:
            return False
        return True

    def delete(self, key: str) -> None:
        try:
            with self._errors(key):
                self._client.delete_object(Bucket=self.bucket, Key=self._name(key))
        except NotFound:
            return

    def delete_prefix(self, prefix: str) -> None:
        if not prefix:
            raise BadKey("delete_prefix: the prefix is empty, which would remove everything")
        keys = self.keys(prefix)
        while batch := list(islice(keys, _DELETED_AT_ONCE_MAX)):
            names: list[ObjectIdentifierTypeDef] = [{"Key": self._name(key)} for key in batch]
            with self._errors(prefix):
                answer = self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": names, "Quiet": True})
            for error in answer.get("Errors", []):
                raise StoreUnavailable(f"{self.url}: {error.get('Key')} was not deleted: {error.get('Message')}")

    def keys(self, prefix: str = "") -> Iterator[str]:
        return (key for key, _ in self.sizes(prefix))

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        return ((key, item["Size"]) for key, item in self._listed(prefix))

    def written(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        return ((key, round(item["LastModified"].timestamp() * 1000)) for key, item in self._listed(prefix))

    def written_at_ms(self, key: str) -> int | None:
        try:
            with self._errors(key):
                found = self._client.head_object(Bucket=self.bucket, Key=self._name(key))
        except NotFound:
            return None
        return round(found["LastModified"].timestamp() * 1000)

    def presigned_put(self, key: str, content_type: str, size_bytes: int, sha256: str, valid_s: int) -> str:
        """A URL that takes one object under `key` for `valid_s` seconds, with these headers; `sha256` is in base64."""
        fixed = {"ContentType": content_type, "ContentLength": size_bytes, "ChecksumSHA256": sha256}
        request = {"Bucket": self.bucket, "Key": self._name(key), **fixed}
        with self._errors(key):
            return self._client.generate_presigned_url("put_object", Params=request, ExpiresIn=valid_s)

    def _listed(self, prefix: str) -> "Iterator[tuple[str, ObjectTypeDef]]":
        pages = self._client.get_paginator("list_objects_v2")
        with self._errors(prefix):
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + check_prefix(prefix)):
                for item in page.get("Contents", []):
                    yield item["Key"].removeprefix(self.prefix), item

    def check(self) -> None:
        try:
            with self._errors(""):
                self._client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)
        except NotFound as missing:
            raise StoreRefused(f"{self.url}: there is no bucket {self.bucket}") from missing

    def _name(self, key: str) -> str:
        return self.prefix + check_key(key)

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._store_error(key, error) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise StoreRefused(f"{self.url}: no S3 credentials: {error}") from error
        except (BotoCoreError, OSError) as error:
            raise StoreUnavailable(f"{self.url}: the server does not answer: {error}") from error

    def _store_error(self, key: str, error: ClientError) -> StoreError:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code == "NoSuchBucket":
            return StoreRefused(f"{self.url}: there is no bucket {self.bucket}")
        if code in _MISSING:
            return NotFound(f"{self.url}: no object {key}")
        if code in _RACE_LOST:
            return PreconditionFailed(f"{self.url}: {key} is not the object that was expected")
        if code in _FULL or status == 507:
            return StoreFull(f"{self.url}: no space left: {error}")
        if code in _BUSY or status >= 500 or status == 429:
            return StoreUnavailable(f"{self.url}: {error}")
        if status in _NOT_ALLOWED:
            return StoreRefused(f"{self.url}: {key}: {error}")
        return StoreError(f"{self.url}: {key}: {error}")


@cache
def _client(endpoint: str | None) -> "S3Client":
    """One client, and one pool of connections, for all stores of a server: it is thread-safe, and slow to make."""
    config = Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=32,
        signature_version="s3v4",  # the older one, which URLs are signed by else, leaves size and digest open
        s3={"addressing_style": "path" if endpoint else "auto"},
        # Other S3 servers know the older checksums only, and those are all that PutObject and GetObject need.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = boto3.session.Session()
    region = session.region_name or "us-east-1"
    return session.client("s3", endpoint_url=endpoint, region_name=region, config=config)
