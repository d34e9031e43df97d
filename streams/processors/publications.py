"""What the publisher made live or took away, noted in the facts."""

from schemas.records import AssetPublished, AssetRetracted, ProductPublished
from streams.catalogue import Facts
from streams.processors import Answers


def asset_published(event: AssetPublished, facts: Facts) -> Answers:
    """An asset is live."""
    facts.put_live(event)
    facts.move_asset(event.tenant, event.sku, event.asset, event.version, "published", verdict=event.verdict)
    return []


def asset_retracted(event: AssetRetracted, facts: Facts) -> Answers:
    """An asset is gone."""
    facts.retracted(event.tenant, event.sku, event.asset)
    return []


def product_published(_event: ProductPublished, _facts: Facts) -> Answers:
    """Tells listing services, not us: each of its assets was noted on its own."""
    return []
