"""From a shop's product to an event of the catalogue: told once for each change, and never for what is older.

Whoever has looked at a product reads its row, tells, and puts the new row in the place of just that one; where another
was faster, all of it begins anew. Killed in between, the next one comes to the same event with the same version, or
finds that the facts have it. The version is the source's own time of the change, in ms, but above all that was told
before.

What a shop says of a product without what is ours in it is its digest. So our own pictures, which come back as a
change, change nothing; and neither does a hook that comes twice, or late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import msgspec
from prometheus_client import Counter

from schemas.codec import Codec
from schemas.decoding import prepare
from schemas.identity import content_id
from schemas.records import CatalogChanged, Label, Lane, Sku
from schemas.text import printable
from streams.connectors.base import ShopProduct
from streams.consumer.clients import NotAcknowledged
from streams.consumer.letters import Outgoing, outgoing
from streams.facts import Database, Product
from streams.facts.connector_records import Connector, ConnectorProduct
from streams.facts.connectors import Connectors
from streams.runtime.errors import Refused, Unavailable

SOURCE = "packshot/connectors"
TEXT_MAX = 1024  # of a title or an attribute's value, as the records have it
LABEL_MAX = 256
SOURCES_MAX = 32
ATTRIBUTES_MAX = 100
CLOCKS_APART_MAX_MS = 60_000  # a shop's clock and ours; a change that is later counts as made when it was seen
TRIES = 20  # of a row that others change meanwhile; each time one of them got somewhere
Outcome = Literal["told", "same", "stale", "hindered"]

taken = Counter("packshot_connector_taken_total", "Products that shops told of", ["kind", "outcome"])


class Sender(Protocol):
    """Writes records and returns when the broker has acknowledged every one; `codec` encodes them."""

    @property
    def codec(self) -> Codec: ...
    def send(self, records: Sequence[Outgoing]) -> None: ...


@dataclass(frozen=True)
class Taking:
    """Takes a shop's products in."""

    database: Database
    rows: Connectors
    sender: Sender

    def take(self, connector: Connector, product: ShopProduct, seen_ms: int, lane: Lane = "standard") -> Outcome:
        """Tells of a product as it was when the shop was asked for it, at `seen_ms`, if that is news.

        What can be no product of ours is noted with the reason. Raises Unavailable.
        """
        outcome: Outcome | None = None
        product = _told(product, seen_ms)
        try:
            for _ in range(TRIES):
                if (outcome := self._take(connector, product, seen_ms, lane)) is not None:
                    break
        except Refused as refusal:
            outcome = "hindered"
            self.hindered(connector, product.source_id, f"{refusal.field}: {refusal}", seen_ms)
        if outcome is None:
            raise Unavailable(f"{product.source_id} is changed by others all the time")
        if outcome != "hindered":
            taken.labels(connector.kind, outcome).inc()
        return outcome

    def gone(self, connector: Connector, source_id: str, seen_ms: int) -> Outcome:
        """Tells that a shop does not have a product any more, as it said at `seen_ms`. Raises Unavailable."""
        for _ in range(TRIES):
            before = self.rows.product(connector.connector, source_id)
            if before is None or before.deleted or before.seen_ms > seen_ms:
                return "same"
            version = self._deleted(connector, before, seen_ms)
            row = replace(before, deleted=True, seen_ms=seen_ms, version=version, why="")
            if self.rows.put_product(row, before):
                taken.labels(connector.kind, "gone").inc()
                return "told"
        raise Unavailable(f"{source_id} is changed by others all the time")

    def hindered(self, connector: Connector, source_id: str, why: str, seen_ms: int) -> None:
        """Notes why a product cannot be taken in; what was told of it before stays. Raises Unavailable."""
        source_id = fit(source_id, LABEL_MAX)
        before = self.rows.product(connector.connector, source_id)
        blank = ConnectorProduct(connector.connector, source_id, "", "", 0, seen_ms, 0, "", deleted=False)
        self.rows.put_product(replace(before or blank, seen_ms=seen_ms, why=why), before)
        taken.labels(connector.kind, "hindered").inc()

    def _take(self, connector: Connector, product: ShopProduct, seen_ms: int, lane: Lane) -> Outcome | None:
        """None where the row was changed meanwhile."""
        _check_names(product)
        rows = self.rows
        before = rows.product(connector.connector, product.source_id)
        if before is not None and _is_stale(before, product, seen_ms):
            return "stale"
        content = content_of(connector, product)
        digest = content_id("connector", content)
        if before is not None and before.digest == digest and not before.deleted and not before.why:
            if before.updated_ms < product.updated_ms:
                newer = replace(before, updated_ms=product.updated_ms, seen_ms=seen_ms)
                return "same" if rows.put_product(newer, before) else None
            rows.saw(connector.connector, [product.source_id], seen_ms)
            return "same"
        version = self._send_change(connector, product, content, before, lane)
        title = str(content["title"])
        key = (connector.connector, product.source_id, product.sku, title, product.updated_ms, seen_ms)
        row = ConnectorProduct(*key, version, digest)
        return "told" if rows.put_product(row, before) else None

    def _send_change(
        self,
        connector: Connector,
        product: ShopProduct,
        content: Mapping[str, Any],
        before: ConnectorProduct | None,
        lane: Lane,
    ) -> int:
        """Sends the event unless the facts have it; its version. Raises Refused, Unavailable."""
        self._check_sku(connector, product)
        if before is not None and before.version and before.sku != product.sku and not before.deleted:
            self._deleted(connector, before, product.updated_ms)
        known = self._known(connector.tenant, product.sku)
        newest = known.version if known else 0
        floor = max(newest, before.version if before and before.sku == product.sku else 0)
        event = event_of(content, max(product.updated_ms, floor + 1, 1), lane, product.updated_ms)
        if known is not None and _is_same(event, known):
            return newest
        self._send(event)
        return event.version

    def _check_sku(self, connector: Connector, product: ShopProduct) -> None:
        holder = self.rows.holder_of(connector.connector, product.sku)
        if holder is not None and holder.source_id != product.source_id:
            raise Refused("sku_taken", f"{product.sku!r} is that of {holder.source_id}, too", field="sku")

    def _deleted(self, connector: Connector, row: ConnectorProduct, at_ms: int) -> int:
        """Sends that a product is gone, where it was told of; the version."""
        known = self._known(connector.tenant, row.sku) if row.version else None
        if known is not None and known.deleted and known.version >= row.version:
            return known.version
        version = max(at_ms, row.version + 1, known.version + 1 if known else 0)
        if row.version:
            self._send(CatalogChanged(change="delete", tenant=connector.tenant, sku=row.sku, version=version))
        return version

    def _known(self, tenant: str, sku: str) -> Product | None:
        with self.database.read() as facts:
            return facts.products.get(tenant, sku)

    def _send(self, event: CatalogChanged) -> None:
        try:
            self.sender.send([outgoing(event, SOURCE, codec=self.sender.codec)])
        except NotAcknowledged as error:
            raise Unavailable(f"the broker does not take it: {error}") from error


def _check_names(product: ShopProduct) -> None:
    """Before anything is looked up by them. Raises Refused, which names the field."""
    for field, text, kind in (("sku", product.sku, Sku), ("source_id", product.source_id, Label)):
        try:
            msgspec.convert(text, kind)
        except msgspec.ValidationError as error:
            raise Refused("bad_name", f"{text[:64]!r}: {error}", field=field) from error


def content_of(connector: Connector, product: ShopProduct) -> dict[str, Any]:
    """What is told of a product but its version, with texts as records may hold them."""
    attributes = [(fit(name, LABEL_MAX), fit(value)) for name, value in sorted(product.attributes.items()) if value]
    sources = [{"uri": uri, "sha256": product.digests.get(uri)} for uri in product.sources[:SOURCES_MAX]]
    return {
        "tenant": connector.tenant,
        "sku": product.sku,
        "title": fit(product.title),
        "category": fit(product.category),
        "colour": fit(product.colour) if product.colour else None,
        "sources": sources,
        "channels": list(product.channels or connector.channels),
        "attributes": dict(attributes[:ATTRIBUTES_MAX]),
        "recipe": connector.options.get("recipe", "marketplace"),
    }


def fit(text: str, most: int = TEXT_MAX) -> str:
    """A shop's text as a record may hold it, on one line."""
    return printable(" ".join(text.split()), most)


def event_of(content: Mapping[str, Any], version: int, lane: Lane, at_ms: int) -> CatalogChanged:
    """The event. Raises Refused where the product can be none of ours."""
    if not content["sources"]:
        raise Refused("no_photographs", "the shop has no photograph of it", field="sources")
    value = {**content, "type": "CatalogChanged", "version": version, "priority": lane, "occurred_at_ms": max(at_ms, 0)}
    try:
        return msgspec.convert(value, CatalogChanged)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        message, _, place = str(error).partition(" - at `$")
        raise Refused("invalid_product", message, field=place.strip("`.")) from error


def _told(product: ShopProduct, seen_ms: int) -> ShopProduct:
    """A product with a time of its change that is none of the future: it would be newer than all that follows."""
    return replace(product, updated_ms=min(product.updated_ms, seen_ms + CLOCKS_APART_MAX_MS))


def _is_stale(before: ConnectorProduct, product: ShopProduct, seen_ms: int) -> bool:
    """Whether more is known than this: a later change, or what somebody saw later.

    A product that comes back may have an older time than it had; then it counts when it was seen.
    """
    if before.deleted:
        return seen_ms <= before.seen_ms
    known_ms = min(before.updated_ms, before.seen_ms + CLOCKS_APART_MAX_MS)  # of rows that are older than this bound
    return product.updated_ms < known_ms or (product.updated_ms == known_ms and seen_ms < before.seen_ms)


def _is_same(event: CatalogChanged, known: Product) -> bool:
    """Whether the facts have an event, whatever its version, its lane and its time."""
    plain = {"version": 1, "priority": "standard", "occurred_at_ms": None}
    return not known.deleted and msgspec.structs.replace(event, **plain) == msgspec.structs.replace(
        known.event, **plain
    )


prepare(CatalogChanged)
