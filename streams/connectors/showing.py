"""Our pictures to the shops: what a product is to have there is made so, and what came of it is noted.

What is due is a row in the database until the shop has it. Killed in between, the next one looks at what stands in the
shop, where each picture of ours is known by its name, and does what is left.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from prometheus_client import Counter

from schemas.records import Rendition
from streams.blobs import BadKey, NotFound, ObjectStore
from streams.connectors.base import Picture, ProductMedia, Shop, file_name
from streams.facts.connector_records import ConnectorPicture, ConnectorProduct
from streams.facts.connectors import Connectors
from streams.runtime.errors import Refused, Unavailable

FIRST_WAIT_MS = 5_000  # then twice as long each time
WAIT_MAX_MS = 3_600_000

log = structlog.get_logger()
shown = Counter("packshot_connector_shown_total", "Products whose pictures were written to shops", ["kind", "outcome"])


@dataclass(frozen=True)
class Showing:
    """Writes pictures of products that are due; `origin` is where they lie."""

    connectors: Connectors
    origin: ObjectStore

    def show(self, shop: Shop, products: Sequence[ConnectorProduct], now_ms: int) -> None:
        """Writes what is to stand at some products, `AT_ONCE` at most. Raises Unavailable."""
        name = shop.connector.connector
        found = [(each, self.connectors.pictures(name, each.sku)) for each in products]
        try:
            shop.show([self.media(*each) for each in found])
        except Refused as refusal:
            self._put_off(shop, products, refusal, now_ms)
            return
        except Unavailable as away:  # another time others come first: it may be that the shop breaks at one of these
            self._put_off(shop, products, Refused("shop_away", str(away), transient=True), now_ms)
            raise
        for product, pictures in found:
            self.connectors.written(product, pictures)
            shown.labels(shop.connector.kind, "written").inc()

    def media(self, product: ConnectorProduct, pictures: Sequence[ConnectorPicture]) -> ProductMedia:
        """What is to stand at a product: in the order of the assets' names, with the product's title as alt text."""
        wanted = sorted((each for each in pictures if each.wanted and not product.deleted), key=_place)
        made = [
            Picture(
                asset=each.asset,
                name=name_of(each),
                url=each.file.url,
                media_type=each.file.media_type,
                alt=product.title if number == 1 else f"{product.title}, {number}",
                load=partial(load, self.origin, each.file),
            )
            for number, each in enumerate(wanted, start=1)
        ]
        gone = [name_of(each) for each in pictures if not each.wanted or product.deleted]
        return ProductMedia(product.source_id, product.sku, product.title, made, gone)

    def _put_off(self, shop: Shop, products: Sequence[ConnectorProduct], refusal: Refused, now_ms: int) -> None:
        """One that will not work later either waits until something is new for it."""
        for each in products:
            wait_ms = min(FIRST_WAIT_MS * 2 ** min(each.tries, 20), WAIT_MAX_MS)
            again_ms = now_ms + wait_ms if refusal.transient else None
            self.connectors.not_written(each, f"{refusal.code}: {refusal}", again_ms)
            shown.labels(shop.connector.kind, "put_off" if again_ms else "refused").inc()
        about = {"connector": shop.connector.connector, "products": [each.source_id for each in products[:10]]}
        log.warning("pictures are not written", **about, code=refusal.code, reason=refusal.message)


def load(origin: ObjectStore, file: Rendition) -> bytes:
    """A picture's bytes. Raises Refused where they are not there any more, Unavailable."""
    try:
        data = origin.get(file.key).data
    except NotFound as error:
        raise Refused("picture_gone", f"{file.key} was replaced since", transient=True) from error
    except BadKey as error:
        raise Refused("picture_unknown", str(error)) from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise Refused("picture_corrupt", f"{file.key} is not what was published", transient=True)
    return data


def name_of(picture: ConnectorPicture) -> str:
    """How it is called in a shop."""
    return file_name(picture.file.sha256, picture.asset, picture.file.media_type)


def _place(picture: ConnectorPicture) -> tuple[int, str]:
    """web-2 comes before web-10, and what has no number last."""
    number = picture.asset.partition(".")[0].rpartition("-")[2]
    return (int(number) if number.isdecimal() else 2**31, picture.asset)
