"""Having products planned and made again: by name, by the rules that they were judged by, or by when they changed."""

from dataclasses import dataclass

from schemas import topics
from schemas.codec import Codec
from schemas.records import Lane, ReplanRequested, ReplansRequested
from streams.consumer.letters import Outgoing, outgoing
from streams.consumer.reading import read
from streams.facts import Asset, Database, Review
from streams.flow.relay import Sender
from streams.runtime.errors import Refused
from streams.runtime.observability import tracer
from streams.runtime.settings import Settings

Product = tuple[str, str]
FEW_SKUS_MAX = 10  # asked for one by one
PART_SKUS_MAX = 100  # a hundred such parts are noted in one transaction


@dataclass(frozen=True)
class Selection:
    """Which products are meant: those that fit everything given.

    `rule` is CHANNEL@VERSION, `model` the NAME@VERSION of a network, `since_ms` a Unix time.
    """

    skus: frozenset[str] = frozenset()
    tenant: str | None = None
    rule: str | None = None
    model: str | None = None
    since_ms: int | None = None


def select(selection: Selection, database: Database, settings: Settings) -> list[Product]:
    """The products that are meant and not deleted, in order. Raises Refused for a rule of no channel."""
    with database.read() as facts:
        known = facts.recipes.cookbook().rules.names()
        if selection.rule is not None and selection.rule.partition("@")[0] not in known:
            message = f"no channel has the rule {selection.rule!r}; the channels are {', '.join(known)}"
            raise Refused("unknown_channel", message)
        products = facts.products.every()
        assets = facts.assets.every() if selection.rule or selection.model else []
        reviews = facts.reviews.every() if selection.model else []
    judged = {(asset.tenant, asset.sku) for asset in assets if selection.rule in _rules(asset)}
    made = {(asset.tenant, asset.sku) for asset in assets if asset.live and selection.model in asset.live.models}
    made |= {_product(review) for review in reviews if selection.model in _models(review)}
    changed = set(products) if selection.since_ms is None else _changed(settings, selection.since_ms)
    return [
        (tenant, sku)
        for (tenant, sku), (_, deleted) in sorted(products.items())
        if not deleted
        and (not selection.skus or sku in selection.skus)
        and selection.tenant in (None, tenant)
        and (selection.rule is None or (tenant, sku) in judged)
        and (selection.model is None or (tenant, sku) in made)
        and (tenant, sku) in changed
    ]


def replan(products: list[Product], lane: Lane, reason: str, sender: Sender) -> None:
    """Asks for products to be made again, as the root of a trace; returns when the broker has acknowledged all.

    Many of one tenant are asked for together, and are begun in steps: see streams.flow.processors.replanning.
    """
    skus: dict[str, list[str]] = {}
    for tenant, sku in products:
        skus.setdefault(tenant, []).append(sku)
    requests = [each for tenant, its in skus.items() for each in _requests(tenant, its, lane, reason)]
    sender.send([_record(each, sender.codec) for each in requests])


def _requests(tenant: str, skus: list[str], lane: Lane, reason: str) -> list[ReplanRequested | ReplansRequested]:
    if len(skus) <= FEW_SKUS_MAX:
        return [ReplanRequested(tenant=tenant, sku=sku, lane=lane, reason=reason) for sku in skus]
    parts = [skus[first : first + PART_SKUS_MAX] for first in range(0, len(skus), PART_SKUS_MAX)]
    return [ReplansRequested(tenant=tenant, skus=part, lane=lane, reason=reason) for part in parts]


def _record(request: ReplanRequested | ReplansRequested, codec: Codec) -> Outgoing:
    with tracer.start_as_current_span("replan"):
        return outgoing(request, "packshot/replay", codec=codec)


def _rules(asset: Asset) -> list[str]:
    return asset.verdict.rules.split(",") if asset.verdict else []


def _product(review: Review) -> Product:
    task = review.request.completed.task
    return task.tenant, task.sku


def _models(review: Review) -> set[str | None]:
    completed = review.request.completed
    return {*completed.task.models, completed.model}


def _changed(settings: Settings, since_ms: int) -> set[Product]:
    """The products of which the catalogue has told since then."""
    records = read(settings, [topics.CATALOG.name], since_ms=since_ms)
    return {topics.product_of(record.key) for record in records}
