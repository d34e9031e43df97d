"""From an event that was published to a delivery for each endpoint that asked for it, kept before the offset is."""

from collections.abc import Sequence

from prometheus_client import Counter

from schemas.codec import HASHED, Codec
from schemas.identity import content_id
from schemas.records import AssetPublished, AssetRetracted, ProductPublished
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, event_in
from streams.consumer.work import Wait
from streams.facts import Endpoint, Message, Webhooks
from streams.runtime.clock import Clock
from streams.runtime.errors import Refused
from streams.webhooks import payload

CLOCKS_DIFFER_MS = 60_000  # between the machine where an endpoint was added and the brokers
DEAD_AT_ONCE = RetryPolicy(())  # a later try would come behind newer events of its product

noted = Counter("packshot_webhook_noted_total", "Deliveries noted", ["type"])


class Noting:
    """Notes what is to be told. Doing it twice changes nothing: a message has the id of its record."""

    def __init__(self, webhooks: Webhooks, clock: Clock, codec: Codec = HASHED) -> None:
        self._webhooks = webhooks
        self._clock = clock
        self._codec = codec

    def handle(self, delivery: Delivery, wait: Wait) -> Sequence[Outgoing]:  # noqa: ARG002
        """See streams.consumer.work.Handler."""
        tenant, message = message_in(delivery, self._codec)
        interested = [
            each.endpoint for each in self._webhooks.hearing(tenant) if wants(each, message, delivery.timestamp_ms)
        ]
        if interested:
            count = self._webhooks.note(message, interested, round(self._clock.time() * 1000))
            noted.labels(message.type).inc(count)
        return []

    def give_up(self, _delivery: Delivery, _refusal: Refused) -> Sequence[Outgoing]:
        """Its letter says it all."""
        return []


def message_in(delivery: Delivery, codec: Codec) -> tuple[str, Message]:
    """The tenant that a record is about, and what endpoints are told of it. Raises Refused."""
    event = event_in(delivery, codec)
    assert isinstance(event, AssetPublished | AssetRetracted | ProductPublished)
    message = f"msg_{content_id('webhook', delivery.event_id, delivery.position)[:40]}"
    return event.tenant, Message(message, event.sku, payload.type_of(event), payload.body(event).decode())


def wants(endpoint: Endpoint, message: Message, written_at_ms: int) -> bool:
    """Whether an endpoint is to hear of a message; not of what was published before it was added."""
    is_new = written_at_ms <= 0 or written_at_ms >= endpoint.created_at_ms - CLOCKS_DIFFER_MS
    return is_new and endpoint.state != "disabled" and message.type in endpoint.events
