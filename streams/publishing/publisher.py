"""The publisher's role: publish requests in, announcements out, exactly once for readers of committed records.

A batch of requests is applied in order; then its announcements and its offsets are written in one Kafka transaction. A
publisher that dies in between leaves requests that come again from the same position and give the same announcements.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas import codec, topics
from schemas.envelope import as_mapping
from schemas.records import AssetWithheld, PublishRequested, RetractRequested
from streams.consumer.clients import delivery
from streams.consumer.ledger import committed, ended, polled
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, outgoing
from streams.errors import Refused, Unavailable
from streams.observability import span
from streams.publishing.publication import Publication, Request
from streams.publishing.renditions import Encoded

BATCH_MAX = 8
BATCH_WITHIN_S = 0.2
RENDERING_THREADS = 2
TRANSACTION_S = 60.0
AWAY_WAIT_S = 1.0

log = structlog.get_logger()


@dataclass
class _Work:
    """One delivery of a batch: its request, the files made for it, and what is to be written."""

    delivery: Delivery
    request: Request | None = None
    prepared: list[Encoded] | None = None
    records: list[Outgoing] = field(default_factory=list)
    refusal: Refused | None = None


class Publisher:
    """Applies the publish topic to the origin and announces what came of it."""

    def __init__(
        self, consumer_config: dict[str, Any], producer_config: dict[str, Any], publication: Publication
    ) -> None:
        self._consumer = Consumer(consumer_config)
        self._producer = Producer({**producer_config, "transactional.id": f"packshot.publisher.{uuid4()}"})
        self._publication = publication
        self._letters = RetryPolicy(())  # what cannot be published is dead at once; what is away is waited for
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set. Raises KafkaException when it was fenced or the transaction cannot be saved."""
        self._stop = stop
        self._producer.init_transactions(TRANSACTION_S)
        self._consumer.subscribe([topics.PUBLISH.name])
        try:
            with ThreadPoolExecutor(RENDERING_THREADS, thread_name_prefix="renditions") as rendering:
                while not stop.is_set():
                    batch = self._read()
                    if batch:
                        self._publish(batch, rendering)
        finally:
            self._consumer.close()

    def _read(self) -> list[Delivery]:
        return [
            delivery(message) for message in self._consumer.consume(BATCH_MAX, BATCH_WITHIN_S) if _is_record(message)
        ]

    def _publish(self, batch: Sequence[Delivery], rendering: ThreadPoolExecutor) -> None:
        polled.labels("publisher", "-").inc(len(batch))
        works = [_Work(each) for each in batch]
        list(rendering.map(self._prepare, works))
        for work in works:
            self._apply(work)
        self._commit(works)

    def _prepare(self, work: _Work) -> None:
        """Decodes the request and makes the files that it will need; runs beside others of the batch."""
        try:
            request = _request_in(work.delivery)
            if isinstance(request, PublishRequested):
                work.prepared = self._publication.prepare(request, work.delivery.position, work.delivery.timestamp_ms)
            work.request = request
        except Unavailable:
            work.request = _request_in(work.delivery)  # `apply` waits until it is back
        except Refused as refusal:
            work.refusal = refusal

    def _apply(self, work: _Work) -> None:
        about = {"packshot.position": work.delivery.position}
        with span("publish", as_mapping(work.delivery.headers), about):
            try:
                if work.refusal is not None:
                    raise work.refusal
                assert work.request is not None
                announcements = self._patiently(work.request, work)
                work.records = [outgoing(each, "packshot/publisher") for each in announcements]
                log.info("published", position=work.delivery.position, announced=len(announcements))
            except Refused as refusal:
                log.error("refused", code=refusal.code, reason=str(refusal), position=work.delivery.position)
                work.refusal = refusal
                work.records = [self._letters.letter(work.delivery, refusal, time.time_ns() // 1_000_000)]

    def _patiently(self, request: Request, work: _Work) -> Sequence[Any]:
        """Applies the request, waiting while the facts or a store are away."""
        while True:
            try:
                where = work.delivery
                return self._publication.apply(request, where.position, work.prepared, where.timestamp_ms)
            except Unavailable as away:
                log.warning("waiting", reason=str(away), position=work.delivery.position)
                if self._stop.wait(AWAY_WAIT_S):
                    raise

    def _commit(self, works: Sequence[_Work]) -> None:
        """Announcements, letters and offsets in one transaction; an aborted one is tried again as a whole."""
        while True:
            try:
                self._transact(works)
                break
            except KafkaException as error:
                cause: KafkaError = error.args[0]
                if not cause.txn_requires_abort():
                    raise
                log.warning("transaction aborted, trying again", error=str(cause))
                self._producer.abort_transaction(TRANSACTION_S)
        committed.labels("publisher").inc(len(works))
        for work in works:
            ended.labels("publisher", "done" if work.refusal is None else "dead").inc()

    def _transact(self, works: Sequence[_Work]) -> None:
        self._producer.begin_transaction()
        for record in (record for work in works for record in work.records):
            self._producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
        group = self._consumer.consumer_group_metadata()
        self._producer.send_offsets_to_transaction(_after(works), group, TRANSACTION_S)
        while True:
            try:
                self._producer.commit_transaction(TRANSACTION_S)
                return
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise


def _after(works: Sequence[_Work]) -> list[TopicPartition]:
    """The offset behind the last delivery of each partition."""
    behind = {(work.delivery.topic, work.delivery.partition): work.delivery.offset + 1 for work in works}
    return [TopicPartition(topic, partition, offset) for (topic, partition), offset in behind.items()]


def _request_in(read: Delivery) -> Request:
    try:
        event = codec.decode(read.value)
    except codec.WireError as error:
        raise Refused(error.code, str(error), field=error.field) from error
    if not isinstance(event, PublishRequested | AssetWithheld | RetractRequested):
        raise Refused("wrong_topic", f"a {type(event).__name__} does not belong on {read.topic}")
    return event


def _is_record(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.fatal():
        raise KafkaException(error)
    log.warning("kafka", error=str(error))
    return False
