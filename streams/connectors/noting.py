"""What the role `connectors` reads, hooks and what was published: noted in the database, and worked on there."""

from collections.abc import Callable, Sequence

import structlog

from schemas import topics
from schemas.codec import HASHED, Codec
from schemas.records import AssetPublished, AssetRetracted
from streams.connectors import signatures
from streams.connectors.base import Hook, kind
from streams.connectors.http import Client
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, event_in
from streams.consumer.work import Wait
from streams.facts.connector_records import Connector, ConnectorPicture
from streams.facts.connectors import Connectors
from streams.runtime.errors import Refused

DEAD_AT_ONCE = RetryPolicy(())  # the sweep finds what a hook was about; what is published comes in order or not at all
RECEIVED = "packshot-received-ms"
HOOK = "packshot-hook"

log = structlog.get_logger()


class Noting:
    """Notes what is to be done. Doing it twice changes nothing."""

    def __init__(self, connectors: Connectors, now_ms: Callable[[], int], codec: Codec = HASHED) -> None:
        self._connectors = connectors
        self._now_ms = now_ms
        self._codec = codec

    def handle(self, delivery: Delivery, wait: Wait) -> Sequence[Outgoing]:  # noqa: ARG002
        """See streams.consumer.work.Handler."""
        if delivery.topic == topics.INBOUND.name:
            self.note_hook(delivery)
        else:
            self.note_published(delivery)
        return []

    def give_up(self, _delivery: Delivery, _refusal: Refused) -> Sequence[Outgoing]:
        """Its letter says it all."""
        return []

    def note_hook(self, delivery: Delivery) -> None:
        """Has the product that a hook is about looked at. Its signature was checked before it came here."""
        if not any(name == HOOK for name, _ in delivery.headers):
            self._note_event(delivery)
            return
        name, source_id = topics.product_of(delivery.key)
        if not name or not source_id:
            raise Refused("wrong_key", f"the key is connector|id, not {delivery.subject!r}", field="key")
        if not self._connectors.has(name):
            log.info("a hook of no connector", connector=name)
            return
        self._connectors.note_change(name, source_id, self._now_ms())

    def _note_event(self, delivery: Delivery) -> None:
        """Has the product looked at that an event is about which a shop wrote here itself."""
        subscription = signatures.text_at(signatures.parsed(delivery.value), "subject")
        known = [each for each in self._connectors.told() if each.options.get("subscription") == subscription]
        for connector in known:
            hook = kind(connector.kind)(connector, Client()).hook_of(delivery.value)
            self._connectors.note_change(connector.connector, hook.source_id, self._now_ms())
        if not known:
            log.info("an event of no connector", subscription=subscription)

    def note_published(self, delivery: Delivery, only: str | None = None) -> bool:
        """Notes what is to stand in the shops of its tenant, or in `only` one of them; whether that is news."""
        event = event_in(delivery, self._codec)
        if not isinstance(event, AssetPublished | AssetRetracted):
            return False
        mine = [each for each in self._connectors.told(event.tenant) if only in (None, each.connector)]
        return sum(self._note(each, event, delivery.timestamp_ms) for each in mine) > 0

    def _note(self, connector: Connector, event: AssetPublished | AssetRetracted, at_ms: int) -> bool:
        if isinstance(event, AssetPublished):
            if event.channel != connector.channels[0] or event.campaign is not None:
                return False
            picture = ConnectorPicture(event.sku, event.asset, event.file, wanted=True, at_ms=at_ms)
        else:
            known = self._connectors.picture(connector.connector, event.sku, event.asset)
            if known is None:
                return False
            picture = ConnectorPicture(event.sku, event.asset, known.file, wanted=False, at_ms=at_ms)
        return self._connectors.note_picture(connector.connector, picture, self._now_ms())


def inbound(connector: str, hook: Hook, body: bytes, now_ms: int) -> Outgoing:
    """A hook as it goes to the topic: its body as it came."""
    headers = [(HOOK, hook.hook.encode()), (RECEIVED, str(now_ms).encode())]
    return Outgoing(topics.INBOUND.name, topics.product_key(connector, hook.source_id), body, headers)
