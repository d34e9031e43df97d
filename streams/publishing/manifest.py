"""The manifest: what is live for a product, as one JSON object on the origin; and the names of all that lies there.

<tenant>/<sku slug>/manifest.json                              moved by compare-and-set, never cached
<tenant>/<sku slug>/<asset>/<sha256[:16]>-<width>.<extension>  immutable, cached for ever
"""

import hashlib
import re

import msgspec

from schemas.decoding import prepare
from schemas.records import ModelRef, ProductPublished, Record, Rendition, Verdict, Version
from streams.blobs.store import NotFound, ObjectStore
from streams.errors import Refused
from streams.publishing.renditions import EXTENSIONS, Encoded

MANIFEST_NAME = "manifest.json"
IMMUTABLE = "public, max-age=31536000, immutable"
NO_CACHE = "no-cache"

_NOT_IN_SLUGS = re.compile(r"[^a-z0-9._-]+")
_ASSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class ManifestAsset(Record, frozen=True, kw_only=True):
    """A live asset. `position` is where its request stands in Kafka: topic/partition/offset."""

    version: Version
    channel: str
    file: Rendition
    renditions: list[Rendition]
    srcset: dict[str, str]
    verdict: Verdict
    engine: str
    result_id: str
    published_at_ms: int
    position: str
    campaign: str | None = None
    approved_by: str | None = None
    models: list[ModelRef] = msgspec.field(default_factory=list)

    def keys(self) -> set[str]:
        """The origin keys of its file and renditions."""
        return {self.file.key, *(rendition.key for rendition in self.renditions)}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is live for a product; `version` is that of its newest asset.

    `announced` is the id of the plan that `announcement` was made for, by the request at `announced_at`. `replaced`
    are the keys that the last move made useless; whoever moves the manifest next removes those that are still there.
    """

    tenant: str
    sku: str
    version: int = 0
    title: str = ""
    assets: dict[str, ManifestAsset] = msgspec.field(default_factory=dict)
    announced: str = ""
    announced_at: str = ""
    announcement: ProductPublished | None = None
    replaced: list[str] = msgspec.field(default_factory=list)

    def keys(self) -> set[str]:
        """The origin keys of everything that is live."""
        return set[str]().union(*(asset.keys() for asset in self.assets.values()))


def slug(sku: str) -> str:
    """`sku` for URLs: lower case, and with a piece of its hash where anything had to be changed."""
    plain = _NOT_IN_SLUGS.sub("-", sku.lower()).strip("-._")
    if plain == sku:
        return plain
    return f"{plain[:100] or 'sku'}-{hashlib.sha256(sku.encode()).hexdigest()[:8]}"


def folder(tenant: str, sku: str) -> str:
    """The prefix of all keys of a product, with the slash at its end."""
    return f"{tenant}/{slug(sku)}/"


def manifest_key(tenant: str, sku: str) -> str:
    """The key of a product's manifest."""
    return folder(tenant, sku) + MANIFEST_NAME


def rendition_of(encoded: Encoded, tenant: str, sku: str, asset: str, cdn_base_url: str) -> Rendition:
    """Names a picture on the origin after its content. Raises Refused for an asset name that can be no folder."""
    if not _ASSET.fullmatch(asset) or asset == MANIFEST_NAME:
        raise Refused("bad_asset_name", f"no folder can be called {asset!r}", field="asset")
    digest = hashlib.sha256(encoded.data).hexdigest()
    name = f"{digest[:16]}-{encoded.width_px}.{EXTENSIONS[encoded.media_type]}"
    key = f"{folder(tenant, sku)}{asset}/{name}"
    return Rendition(
        key=key,
        url=f"{cdn_base_url}/{key}",
        media_type=encoded.media_type,
        width_px=encoded.width_px,
        height_px=encoded.height_px,
        size_bytes=len(encoded.data),
        sha256=digest,
    )


def srcset(renditions: list[Rendition]) -> dict[str, str]:
    """For each media type the value of an `img` or `source` element's srcset attribute, narrowest first."""
    ordered = sorted(renditions, key=lambda rendition: rendition.width_px)
    media_types = list(dict.fromkeys(rendition.media_type for rendition in renditions))
    return {
        media_type: ", ".join(f"{one.url} {one.width_px}w" for one in ordered if one.media_type == media_type)
        for media_type in media_types
    }


def load(store: ObjectStore, tenant: str, sku: str) -> tuple[Manifest | None, str | None]:
    """The manifest and its etag, or two Nones. Raises Refused when what is there is no manifest of this product."""
    key = manifest_key(tenant, sku)
    try:
        stored = store.get(key)
    except NotFound:
        return None, None
    manifest = read(stored.data, key)
    if (manifest.tenant, manifest.sku) != (tenant, sku):
        raise Refused("slug_taken", f"{key} belongs to {manifest.tenant}|{manifest.sku}", field="sku")
    return manifest, stored.etag


def read(data: bytes, key: str) -> Manifest:
    """The manifest in `data`. Raises Refused when it is none."""
    try:
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("manifest_corrupt", f"{key} is no manifest: {error}") from error


def save(store: ObjectStore, manifest: Manifest, etag: str | None) -> str:
    """Writes the manifest over the one with `etag`, or where there is none, and returns its own etag.

    Raises PreconditionFailed when somebody else moved it: load again.
    """
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    return store.put(
        manifest_key(manifest.tenant, manifest.sku),
        data,
        content_type="application/json",
        cache_control=NO_CACHE,
        if_match=etag,
        if_absent=etag is None,
    )


prepare(Manifest)
