"""How an asset goes live, and off the shop."""

from typing import Annotated

from msgspec import Meta, field

from schemas.records.base import (
    MANY,
    AssetName,
    Bytes,
    Code,
    FieldPath,
    Label,
    Message,
    Milliseconds,
    Models,
    Name,
    Pixels,
    Reason,
    Record,
    Sha256,
    Sku,
    Srcset,
    Text,
    Uri,
    Version,
)
from schemas.records.reviews import Verdict
from schemas.records.tasks import Actions, Blob


class PublicationFailed(Record, frozen=True, kw_only=True, tag="PublicationFailed", tag_field="type"):
    """An asset that passed cannot be published; the request's bytes lie in the dead letters."""

    tenant: Name
    sku: Sku
    version: Version
    asset: AssetName
    code: Code
    field: FieldPath = ""
    message: Message = ""


class Provenance(Record, frozen=True, kw_only=True):
    """How a picture came about, for those whom it is told: nothing of where its photograph lies.

    `photograph` is the digest of the file that it began with, `retouched` says that a person's strokes are in its
    cutout, `people` whether anybody was seen in it, None where nobody looked, and `virtual` that it shows a virtual
    model: a body of nobody. What the publisher adds: `source_type`,
    IPTC's term for it as the file says it, and `signed_by`, the id of the key by which its files are signed, "" where
    they are not.
    """

    photograph: Sha256 | None = None
    actions: Actions = field(default_factory=list)
    retouched: bool = False
    people: bool | None = None
    source_type: Label = ""
    signed_by: Label = ""
    virtual: bool = False


class Duty(Record, frozen=True, kw_only=True):
    """What has to be told of a picture, by a rule of `schemas.disclosures`: NAME@VERSION.

    `kind`: mark, so that machines read it; label, so that people see it; field, when it is handed in. `fields` are
    those to send, with their values. Where a rule is `unsettled`, the careful reading is told.
    """

    rule: Label
    kind: Label
    unsettled: bool = False
    fields: Annotated[dict[Label, Text], Meta(max_length=64)] = field(default_factory=dict)


Duties = Annotated[list[Duty], Meta(max_length=1024)]


class PublishRequested(Record, frozen=True, kw_only=True, tag="PublishRequested", tag_field="type"):
    """An asset that passed its gates, or a person, shall go live. `beside` are files that go live with its picture, by
    their roles: a showcase's clip, and its moving picture for letters.
    """

    tenant: Name
    sku: Sku
    version: Version
    asset: AssetName
    channel: Name
    file: Blob
    verdict: Verdict
    engine: Label
    result_id: Label
    title: Text = ""
    campaign: Name | None = None
    approved_by: Text | None = None
    models: Models = field(default_factory=list)
    provenance: Provenance | None = None
    beside: Annotated[list[Blob], Meta(max_length=16)] = field(default_factory=list)


class AssetWithheld(Record, frozen=True, kw_only=True, tag="AssetWithheld", tag_field="type"):
    """A planned asset will not come: it failed, or a person rejected it."""

    tenant: Name
    sku: Sku
    version: Version
    asset: AssetName
    reason: Reason


class RetractRequested(Record, frozen=True, kw_only=True, tag="RetractRequested", tag_field="type"):
    """Assets of a product up to `version` shall go from the origin: the named ones, or all when `assets` is null.

    With `result_id` only where just that result is live.
    """

    tenant: Name
    sku: Sku
    version: Version
    assets: Annotated[list[AssetName], Meta(max_length=MANY)] | None = None
    reason: Reason = ""
    result_id: Sha256 | None = None


class Rendition(Record, frozen=True, kw_only=True):
    """One size and format of an asset on the origin, under an immutable name.

    `unsigned` is the digest of the file before it was signed, null where it is not; a signature makes other bytes of
    the same file each time. `role` is "" for a picture of the asset in some size; what moves has its own: clip, mail.
    """

    key: Uri
    url: Uri
    media_type: Label
    width_px: Pixels
    height_px: Pixels
    size_bytes: Bytes
    sha256: Sha256
    unsigned: Sha256 | None = None
    role: Label = ""

    @property
    def content(self) -> str:
        """The digest of what was made, signed or not."""
        return self.unsigned or self.sha256


class AssetPublished(Record, frozen=True, kw_only=True, tag="AssetPublished", tag_field="type"):
    """An asset is live: `file` is the channel's own file, `srcset` holds a ready attribute value per media type.

    `unchanged` when its files and their URLs are those that were announced for it last, and only what is said of them
    is new, such as the version.
    """

    tenant: Name
    sku: Sku
    version: Version
    asset: AssetName
    channel: Name
    file: Rendition
    renditions: Annotated[list[Rendition], Meta(max_length=1024)]
    srcset: Annotated[dict[Label, Srcset], Meta(max_length=64)]
    verdict: Verdict
    engine: Label
    manifest_url: Uri
    published_at_ms: Milliseconds
    campaign: Name | None = None
    approved_by: Text | None = None
    models: Models = field(default_factory=list)
    unchanged: bool = False
    provenance: Provenance | None = None
    disclosures: Duties = field(default_factory=list)


class ProductPublished(Record, frozen=True, kw_only=True, tag="ProductPublished", tag_field="type"):
    """Every asset of the product's plan is live or, with its reason, withheld."""

    tenant: Name
    sku: Sku
    version: Version
    assets: Annotated[list[AssetName], Meta(max_length=MANY)]
    withheld: Annotated[dict[AssetName, Reason], Meta(max_length=MANY)]
    manifest_url: Uri
    published_at_ms: Milliseconds


class DriftFound(Record, frozen=True, kw_only=True, tag="DriftFound", tag_field="type"):
    """A probe got a live picture's file, or its product's manifest, otherwise than it was published.

    `drift` says in which way: gone, altered, stripped, converted, unsigned, headers, stale_manifest, slow or away;
    `seen` what was seen. `version` is the asset's, as it was live. Each probe tells again what is so still.
    """

    tenant: Name
    sku: Sku
    version: Version
    asset: AssetName
    url: Uri
    drift: Code
    seen: Message = ""
    found_at_ms: Milliseconds


class AssetRetracted(Record, frozen=True, kw_only=True, tag="AssetRetracted", tag_field="type"):
    """An asset that was live is live no more.

    `urls` are gone from the origin when `urls_until_ms` is 0: the asset was taken back, or its product deleted. Else it
    only left the plan of a newer version, and they answer until then at least. Caches before the origin may
    answer for longer.
    """

    tenant: Name
    sku: Sku
    version: Version
    asset: AssetName
    reason: Reason
    urls: Annotated[list[Uri], Meta(max_length=MANY)]
    retracted_at_ms: Milliseconds
    urls_until_ms: Milliseconds = 0
