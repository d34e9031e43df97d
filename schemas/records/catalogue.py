"""Products as a PIM tells of them, and what has them made again."""

from typing import Annotated

from msgspec import Meta, field

from schemas.records.base import (
    Change,
    Label,
    Lane,
    Milliseconds,
    Name,
    Reason,
    Record,
    Sha256,
    Sku,
    Text,
    Uri,
    Version,
)


class Source(Record, frozen=True, kw_only=True):
    """Where a product photograph lies: http(s), file or s3, and its digest when the sender knows it."""

    uri: Uri
    sha256: Sha256 | None = None


class CatalogChanged(Record, frozen=True, kw_only=True, tag="CatalogChanged", tag_field="type"):
    """A PIM says that a product is new, different or gone. `version` grows with every change of the product."""

    change: Change = "upsert"
    tenant: Name
    sku: Sku
    version: Version
    title: Text = ""
    category: Text = ""
    colour: Text | None = None
    sources: Annotated[list[Source], Meta(max_length=32)] = field(default_factory=list)
    channels: Annotated[list[Name], Meta(max_length=32)] = field(default_factory=list)
    attributes: Annotated[dict[Annotated[Label, Meta(min_length=1)], Text], Meta(max_length=1000)] = field(
        default_factory=dict
    )
    recipe: Name = "marketplace"
    priority: Lane = "standard"
    occurred_at_ms: Milliseconds | None = None

    def __post_init__(self) -> None:
        if self.change == "upsert" and not self.sources:
            raise ValueError("`sources` must name at least one image for an upsert")
        if self.change == "upsert" and not self.channels:
            raise ValueError("`channels` must name at least one channel for an upsert")
        if len(set(self.channels)) != len(self.channels):
            raise ValueError("`channels` must not repeat a channel")


class ReplanRequested(Record, frozen=True, kw_only=True, tag="ReplanRequested", tag_field="type"):
    """An operator has the newest version of a product made again. What comes out the same changes nothing."""

    tenant: Name
    sku: Sku
    lane: Lane = "bulk"
    reason: Reason = ""


class ReplansRequested(Record, frozen=True, kw_only=True, tag="ReplansRequested", tag_field="type"):
    """An operator has many products of a tenant made again: intake asks for each of them, a few at a time."""

    tenant: Name
    skus: Annotated[list[Sku], Meta(min_length=1, max_length=1000)]
    lane: Lane = "bulk"
    reason: Reason = ""


class ReplansContinued(Record, frozen=True, kw_only=True, tag="ReplansContinued", tag_field="type"):
    """Products of a tenant are left to be made again; intake tells itself so between two steps."""

    tenant: Name
