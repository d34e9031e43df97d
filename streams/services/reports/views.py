"""What is told of products, assets, reviews and letters: typed, the same for routes and for `--json`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from schemas.codec import WireError
from schemas.decoding import prepare
from schemas.envelope import as_mapping
from schemas.records import AssetPublished, LetterResolved, Source, Verdict
from streams.consumer import letters as header
from streams.facts import Asset, Product, Review, TaskFact

if TYPE_CHECKING:
    from streams.services.recovery.dead import DeadLetter
    from streams.services.reports.status import ProductStatus


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all views."""


class ProductView(View, frozen=True, kw_only=True):
    """A product in its newest known version."""

    tenant: str
    sku: str
    version: int
    deleted: bool
    title: str
    category: str
    colour: str | None
    sources: Sequence[Source]
    channels: Sequence[str]
    attributes: Mapping[str, str]
    recipe: str
    priority: str


class ProductName(View, frozen=True, kw_only=True):
    """Which product is meant."""

    tenant: str
    sku: str


class Disclosure(View, frozen=True, kw_only=True):
    """What has to be said of how a picture was made: the networks that took part, and who let it pass."""

    models: Sequence[str]
    approved_by: str | None


class AssetView(View, frozen=True, kw_only=True):
    """Where an asset stands and why, and what is live of it: `url`, `srcset` by media type.

    `cost_nanos` is what its work cost so far, in billionths of the operator's currency.
    """

    tenant: str
    sku: str
    asset: str
    version: int
    channel: str
    campaign: str | None
    state: str
    reason: str
    url: str | None
    srcset: Mapping[str, str]
    verdict: Verdict | None
    cost_nanos: int
    disclosure: Disclosure | None
    live: AssetPublished | None


class TaskView(View, frozen=True, kw_only=True):
    """A task of a product's newest version; `demoted` is why it is in another lane than was asked for."""

    operation: str
    state: str
    task_id: str
    lane: str
    demoted: str | None


class StatusView(View, frozen=True, kw_only=True):
    """A product with all its assets, and the tasks of its newest version; `rewritten` is how the content policy would
    have its texts read, by their fields."""

    tenant: str
    sku: str
    version: int
    deleted: bool
    assets: Sequence[AssetView]
    tasks: Sequence[TaskView]
    rewritten: Mapping[str, str]


class ReviewView(View, frozen=True, kw_only=True):
    """An asset that waits, or waited, for a person; `picture` is the digest of what was judged."""

    review_id: str
    tenant: str
    sku: str
    version: int
    asset: str
    state: str
    reason: str
    verdict: Verdict
    picture: str


class LetterView(View, frozen=True, kw_only=True):
    """An event that could not be worked on, why, and what was done about it."""

    id: str
    state: str
    event_id: str
    tenant: str
    sku: str
    origin: str
    origin_position: str
    failed_at_ms: int
    kind: str
    code: str
    field: str
    message: str
    resolved: LetterResolved | None


class LetterContent(View, frozen=True, kw_only=True):
    """What a letter holds: the event, its earlier tries, its headers."""

    letter: LetterView
    event: Mapping[str, Any]
    history: Sequence[header.Failure]
    headers: Mapping[str, str]


def product_names(products: Iterable[tuple[str, str]]) -> list[ProductName]:
    """Products by tenant and SKU as they are told."""
    return [ProductName(tenant=tenant, sku=sku) for tenant, sku in products]


def product_view(product: Product) -> ProductView:
    """A product as it is told."""
    event = product.event
    shared = {name: getattr(event, name) for name in ProductView.__struct_fields__ if hasattr(event, name)}
    return ProductView(**shared | {"deleted": product.deleted})


def asset_view(asset: Asset, cost_nanos: int = 0) -> AssetView:
    """An asset as it is told."""
    live = asset.live
    shared = {name: getattr(asset, name) for name in AssetView.__struct_fields__ if hasattr(asset, name)}
    return AssetView(
        **shared,
        url=None if live is None else live.file.url,
        srcset={} if live is None else live.srcset,
        cost_nanos=cost_nanos,
        disclosure=None if live is None else Disclosure(models=live.models, approved_by=live.approved_by),
    )


def task_view(fact: TaskFact) -> TaskView:
    """A task as it is told."""
    return TaskView(
        operation=fact.operation,
        state=fact.state,
        task_id=fact.task_id,
        lane=fact.task.lane,
        demoted=fact.task.demoted,
    )


def status_view(status: "ProductStatus") -> StatusView:
    """A product's status as it is told."""
    return StatusView(
        tenant=status.tenant,
        sku=status.sku,
        version=status.product.version,
        deleted=status.product.deleted,
        assets=[asset_view(each, status.spent_nanos(each)) for each in status.assets],
        tasks=[task_view(each) for each in status.tasks],
        rewritten=status.rewritten,
    )


def review_view(review: Review) -> ReviewView:
    """A review as it is told."""
    task = review.request.completed.task
    return ReviewView(
        review_id=review.review_id,
        tenant=task.tenant,
        sku=task.sku,
        version=review.version,
        asset=review.asset,
        state=review.state,
        reason=review.request.reason,
        verdict=review.request.verdict,
        picture=review.request.completed.outputs[0].digest,
    )


def letter_view(letter: "DeadLetter") -> LetterView:
    """A dead letter as it is told."""
    tenant, sku = letter.product
    return LetterView(
        id=letter.name,
        state=letter.state,
        event_id=letter.record.event_id,
        tenant=tenant,
        sku=sku,
        origin=letter.origin,
        origin_position=letter.origin_position,
        failed_at_ms=letter.failed_at_ms,
        kind=letter.header(header.ERROR_KIND),
        code=letter.header(header.ERROR_CODE),
        field=letter.header(header.ERROR_FIELD),
        message=letter.header(header.ERROR_MESSAGE),
        resolved=letter.resolved,
    )


def letter_content(letter: "DeadLetter") -> LetterContent:
    """What a letter holds, as it is told."""
    try:
        event: Mapping[str, Any] = msgspec.to_builtins(letter.codec.decode(letter.record.value))
    except WireError as error:
        event = {"unreadable": str(error), "bytes": letter.record.value.hex()}
    return LetterContent(
        letter=letter_view(letter),
        event=event,
        history=letter.record.history,
        headers=as_mapping(letter.record.headers),
    )


prepare(ProductView, ProductName, Disclosure, AssetView, TaskView, StatusView, ReviewView, LetterView, LetterContent)
