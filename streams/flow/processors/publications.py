"""What the publisher made live or took away, noted in the facts."""

from schemas.records import (
    AssetPublished,
    AssetRetracted,
    AssetWithheld,
    ProductPublished,
    PublicationFailed,
    RetractRequested,
)
from streams.facts import Facts
from streams.flow.processors import Answers
from streams.flow.processors.releasing import made_again, made_by_recalled


def asset_published(event: AssetPublished, facts: Facts) -> Answers:
    """An asset is live. One whose newer result waits for a person, or was rejected by one, stands as that says.

    What a model made that was recalled while the asset was on its way is made again. What left its version's plan
    meanwhile is taken away: nothing else of that version needs to come to the publisher any more.
    """
    is_planned = facts.assets.put_live(event)
    facts.costs.accept(event)
    if not is_planned:
        return [_retraction(event)] if _is_newest(event, facts) else []
    where = (event.tenant, event.sku, event.asset, event.version)
    facts.assets.move(*where, "published", verdict=event.verdict)
    found = made_by_recalled(event.models, facts)
    return [made_again(event.tenant, event.sku, "standard", found)] if found else []


def asset_retracted(event: AssetRetracted, facts: Facts) -> Answers:
    """An asset is gone."""
    facts.assets.put_gone(event.tenant, event.sku, event.asset)
    return []


def publication_failed(event: PublicationFailed, facts: Facts) -> Answers:
    """An asset that was to be published will not be; without it the product may be complete."""
    where = (event.tenant, event.sku, event.asset, event.version)
    reason = f"{event.code}: {event.message}"
    if not facts.assets.move(*where, "not published", reason=reason):
        return []
    return [AssetWithheld(tenant=event.tenant, sku=event.sku, version=event.version, asset=event.asset, reason=reason)]


def product_published(_event: ProductPublished, _facts: Facts) -> Answers:
    """Tells listing services, not us: each of its assets was noted on its own."""
    return []


def _is_newest(event: AssetPublished, facts: Facts) -> bool:
    """Whether no newer plan is under way: that one takes away what is not in it, when it is complete."""
    product = facts.products.get(event.tenant, event.sku)
    return product is not None and product.version == event.version


def _retraction(event: AssetPublished) -> RetractRequested:
    return RetractRequested(
        tenant=event.tenant,
        sku=event.sku,
        version=event.version,
        assets=[event.asset],
        reason="it left the plan while it was published",
    )
