"""What the API takes and answers. Fields that a newer API has besides are left out; see /docs for what each means."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all."""


class Product(Record, frozen=True, kw_only=True):
    """A product as it is now; each source has a `uri`, and a `sha256` where it is known."""

    sources: Sequence[Mapping[str, str]]
    channels: Sequence[str]
    title: str = ""
    category: str = ""
    colour: str | None = None
    attributes: Mapping[str, str] = {}
    recipe: str = "marketplace"
    priority: str = "standard"
    version: int | None = None


class CampaignRequest(Record, frozen=True, kw_only=True):
    """Which products get pictures after which recipe, by when."""

    skus: Sequence[str]
    channels: Sequence[str]
    recipe: str = "campaign"
    priority: str = "urgent"
    deadline_ms: int | None = None
    version: int = 0


class Accepted(Record, frozen=True, kw_only=True):
    """The broker has it."""

    event_id: str
    subject: str
    version: int
    test: bool = False


class LineAnswer(Record, frozen=True, kw_only=True):
    """What became of one event of many: `status` 202 once the broker has it."""

    line: int
    status: int
    subject: str = ""
    version: int = 0
    event_id: str = ""
    code: str = ""
    field: str = ""
    detail: str = ""
    retryable: bool | None = None


class KnownProduct(Record, frozen=True, kw_only=True):
    """A product in its newest known version."""

    tenant: str
    sku: str
    version: int
    deleted: bool = False
    title: str = ""
    category: str = ""
    channels: Sequence[str] = ()
    recipe: str = ""


class Asset(Record, frozen=True, kw_only=True):
    """Where an asset stands and why, and what is live of it."""

    tenant: str
    sku: str
    asset: str
    version: int
    channel: str
    state: str
    campaign: str | None = None
    reason: str = ""
    url: str | None = None
    srcset: Mapping[str, str] = {}
    verdict: Mapping[str, Any] | None = None
    cost_nanos: int = 0
    disclosure: Mapping[str, Any] | None = None
    live: Mapping[str, Any] | None = None


class ProductAssets(Record, frozen=True, kw_only=True):
    """All assets of a product; `settled` when none is on its way any more."""

    tenant: str
    sku: str
    version: int
    settled: bool
    assets: Sequence[Asset]


class Campaign(Record, frozen=True, kw_only=True):
    """A campaign as it is known."""

    tenant: str
    campaign: str
    version: int
    cancelled: bool
    complete: bool
    assets: Sequence[Asset]


class Review(Record, frozen=True, kw_only=True):
    """An asset that waits, or waited, for a person."""

    review_id: str
    tenant: str
    sku: str
    version: int
    asset: str
    state: str
    reason: str
    verdict: Mapping[str, Any] = {}
    picture: str = ""


class Letter(Record, frozen=True, kw_only=True):
    """An event that could not be worked on, and why."""

    id: str
    state: str
    event_id: str
    sku: str
    code: str
    field: str = ""
    message: str = ""


class Page(Record, Generic[T], frozen=True, kw_only=True):
    """Some of many; `next` is the cursor of those behind."""

    items: Sequence[T]
    next: str | None = None


class News(Record, frozen=True, kw_only=True):
    """One thing that happened to a product; of type `reset` where too much happened while nobody listened."""

    type: str
    id: str = ""
    tenant: str = ""
    sku: str = ""
    version: int = 0
    asset: str | None = None
    detail: str = ""


# Before threads decode: see schemas.decoding, which a client does without.
for _each in (
    Accepted,
    Asset,
    Campaign,
    CampaignRequest,
    KnownProduct,
    Letter,
    LineAnswer,
    News,
    Page,
    Product,
    ProductAssets,
    Review,
):
    with suppress(msgspec.ValidationError):
        msgspec.convert(object(), _each)
