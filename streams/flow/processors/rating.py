"""Rating: what somebody says of a picture is noted, and moves nothing."""

from schemas.records import PictureRated
from streams.facts import Facts
from streams.flow.processors import Answers
from streams.runtime.errors import Refused


def picture_rated(event: PictureRated, facts: Facts) -> Answers:
    """Notes a rating. Told again it changes nothing. Raises Refused for a product that nobody knows."""
    if facts.products.get(event.tenant, event.sku) is None:
        raise Refused("unknown_product", f"no product has the SKU {event.sku!r}", field="sku", transient=True)
    facts.ratings.put(event)
    return []
