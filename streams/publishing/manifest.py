"""The manifest: what is live for a product, as one JSON object on the origin; and the names of all that lies there.

<tenant>/<sku slug>/manifest.json                                          moved by compare-and-set, never cached
<tenant>/<sku slug>/<asset>/<sha256[:16]>-<width>.<serial>-<random>.<ext>  immutable, cached for ever

Why whoever is paused, for however long, never takes away what is live. The manifest is never deleted: without assets it
is the product's tombstone. Its serial grows by one with every move. A file is named after the serial of the manifest
that its upload began from, and by chance. Only a move from just that manifest may be the first to name it, for any
other finds another etag; all later ones only carry it on. So a file whose serial is below the manifest's, and which the
manifest does not name, will never be named again: it may be removed at any time from then on, by anybody, as often as
wanted, with nothing locked and no condition. A file whose serial is the manifest's may belong to an upload that is
under way: it is removed after a move that changes nothing but the serial, and the upload, if there is one, begins anew.
Ages and graces decide how soon something goes; no age and no clock decides whether it may.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass

import msgspec

from schemas.decoding import prepare
from schemas.records import Duty, ModelRef, ProductPublished, Provenance, Record, Rendition, Verdict, Version
from streams.blobs.store import NotFound, ObjectStore
from streams.publishing.renditions import EXTENSIONS, Encoded
from streams.runtime.errors import Refused

MANIFEST_NAME = "manifest.json"
IMMUTABLE = "public, max-age=31536000, immutable"
NO_CACHE = "no-cache"

_FILE = re.compile(
    r"(?P<product>[^/]+/[^/]+/)(?P<asset>[^/]+)/[0-9a-f]{16}-[0-9]+(\.(?P<serial>[0-9]{1,18})-[0-9a-f]{8})?\.[a-z0-9]+"
)
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_SLUG_MAX = 128  # a SKU's own limit on the wire, far below that of a file's name
_NOT_IN_SLUGS = re.compile(r"[^a-z0-9._-]+")
_ASSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class ManifestAsset(Record, frozen=True, kw_only=True):
    """A live asset. `position` is where its request stands in Kafka: topic/partition/offset.

    `unchanged` says that its files were live before it, `follows` that any were; `encoding` names what made them, and
    `claim` what they were signed as, "" where they are not.
    """

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
    unchanged: bool = False
    follows: bool = False
    encoding: str = ""
    claim: str = ""
    provenance: Provenance | None = None
    disclosures: list[Duty] = msgspec.field(default_factory=list)

    def keys(self) -> set[str]:
        """The origin keys of its file and renditions."""
        return {self.file.key, *(rendition.key for rendition in self.renditions)}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is live for a product; `version` is that of its newest asset, 0 where nothing is live.

    `announced` is the id of the plan that `announcement` was made for, by the request at `announced_at`. `retired` are
    the keys of files that were live and may still be there, each with the Unix time in ms until which it is to stay: 0
    for what was taken back, which whoever looks at the manifest next removes.
    """

    tenant: str
    sku: str
    version: int = 0
    title: str = ""
    assets: dict[str, ManifestAsset] = msgspec.field(default_factory=dict)
    announced: str = ""
    announced_at: str = ""
    announcement: ProductPublished | None = None
    retired: dict[str, int] = msgspec.field(default_factory=dict)
    serial: int = 0

    def keys(self) -> set[str]:
        """The origin keys of everything that is live."""
        return set[str]().union(*(asset.keys() for asset in self.assets.values()))

    def taken_back(self) -> list[str]:
        """The keys of files that are to be gone."""
        return sorted(key for key, until_ms in self.retired.items() if not until_ms)


@dataclass(frozen=True)
class FileName:
    """What a file's key says: its product's folder, its asset, and the serial; -1 in those of before there was one."""

    product: str
    asset: str
    serial: int


def slug(sku: str) -> str:
    """`sku` for URLs: lower case, and with a piece of its hash where anything had to be changed."""
    plain = _NOT_IN_SLUGS.sub("-", sku.lower()).strip("-._")
    if plain == sku and len(plain) <= _SLUG_MAX:
        return plain
    return f"{plain[:100] or 'sku'}-{hashlib.sha256(sku.encode(errors='surrogatepass')).hexdigest()[:8]}"


def folder(tenant: str, sku: str) -> str:
    """The prefix of all keys of a product, with the slash at its end. Raises Refused for a tenant that can be none."""
    if not _TENANT.fullmatch(tenant):
        raise Refused("bad_tenant_name", f"no folder can be called {tenant!r}", field="tenant")
    return f"{tenant}/{slug(sku)}/"


def manifest_key(tenant: str, sku: str) -> str:
    """The key of a product's manifest."""
    return folder(tenant, sku) + MANIFEST_NAME


def file_name(key: str) -> FileName | None:
    """What the key of a file of an asset says, or None for any other key."""
    found = _FILE.fullmatch(key)
    return found and FileName(found["product"], found["asset"], int(found["serial"] or -1))


def rendition_of(encoded: Encoded, start: Manifest, asset: str, cdn_base_url: str) -> Rendition:
    """Names a picture for an upload that begins from the manifest `start`; no two calls give the same name.

    Raises Refused for an asset name that can be no folder.
    """
    if not _ASSET.fullmatch(asset) or asset == MANIFEST_NAME:
        raise Refused("bad_asset_name", f"no folder can be called {asset!r}", field="asset")
    digest = hashlib.sha256(encoded.data).hexdigest()
    upload = f"{start.serial}-{secrets.token_hex(4)}"
    name = f"{digest[:16]}-{encoded.width_px}.{upload}.{EXTENSIONS[encoded.media_type]}"
    key = f"{folder(start.tenant, start.sku)}{asset}/{name}"
    return Rendition(
        key=key,
        url=f"{cdn_base_url}/{key}",
        media_type=encoded.media_type,
        width_px=encoded.width_px,
        height_px=encoded.height_px,
        size_bytes=len(encoded.data),
        sha256=digest,
        unsigned=encoded.unsigned,
        role=encoded.role,
    )


def srcset(renditions: list[Rendition]) -> dict[str, str]:
    """For each media type the value of an `img` or `source` element's srcset attribute, narrowest first; what moves is
    in none."""
    ordered = sorted((each for each in renditions if not each.role), key=lambda rendition: rendition.width_px)
    media_types = list(dict.fromkeys(rendition.media_type for rendition in renditions if not rendition.role))
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
