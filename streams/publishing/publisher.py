"""The publisher's role: publish requests in, announcements out, exactly once for readers of committed records.

A batch of requests is applied in order; then its announcements and its offsets are written in one Kafka transaction. A
publisher that dies in between leaves requests that come again from the same position and give the same announcements.
A batch during which partitions change hands is dropped: whoever has its partitions next does it again.

No request stops it for others: one that ends in an error that nobody foresaw is tried once more, without what was
prepared beside others, and is then a dead letter with the trace. Only a store, a database or a broker is waited for.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from schemas import topics
from schemas.codec import HASHED, Codec
from schemas.envelope import as_mapping
from schemas.records import AssetWithheld, Event, PublicationFailed, PublishRequested, RetractRequested
from streams.blobs.store import StoreRefused
from streams.consumer.clients import TooLarge, delivery
from streams.consumer.isolation import Isolation, is_untouchable
from streams.consumer.ledger import committed, ended, polled
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, event_in, outgoing
from streams.consumer.poison import poison, with_trace
from streams.publishing.publication import Publication, Request
from streams.publishing.renditions import Encoded
from streams.publishing.transactions import Aborted, Transactions
from streams.runtime import waiting
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.health import Turned
from streams.runtime.observability import span

ROLE = "publisher"
BATCH_MAX = 8
BATCH_WITHIN_S = 0.2
RENDERING_THREADS = 2
DEAD_AT_ONCE = RetryPolicy(())  # what cannot be published; what is away is waited for

log = structlog.get_logger()
T = TypeVar("T")


class Dropped(Exception):
    """The batch in hand cannot be brought to an end here."""


@dataclass
class _Work:
    """One delivery of a batch: its request, the files made for it, and what is to be written."""

    delivery: Delivery
    request: Request | None = None
    prepared: list[Encoded] | None = None
    records: list[Outgoing] = field(default_factory=list)
    refusal: Refused | None = None


class Publisher:
    """Applies the publish topic to the origin and announces what came of it.

    Publishers of one host that share `folder` tell themselves apart there.
    """

    def __init__(
        self,
        consumer_config: dict[str, Any],
        producer_config: dict[str, Any],
        publication: Publication,
        isolation: Isolation,
        folder: Path,
        letters: RetryPolicy = DEAD_AT_ONCE,
        codec: Codec = HASHED,
        turned: Turned = lambda: None,
    ) -> None:
        # Eager: a batch is done and committed as a unit, so nothing is gained by keeping some of its partitions.
        self._consumer_config = {**consumer_config, "partition.assignment.strategy": "range"}
        self._consumer = Consumer(self._consumer_config)
        self._producer_config = producer_config
        self._publication = publication
        self._isolation = isolation
        self._folder = folder
        self._letters = letters
        self._codec = codec
        self._stop = threading.Event()
        self._turned = turned
        self._moved = False
        self.has_joined = False

    @property
    def member(self) -> Consumer:
        """Its client in the group."""
        return self._consumer

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set. Raises KafkaException when it was fenced or cannot go on."""
        self._stop = stop
        configs = self._producer_config, self._consumer_config
        transactions = Transactions(*configs, topics.PUBLISH.name, ROLE, self._folder, stop)
        try:
            transactions.start()
            self._consumer.subscribe(
                [topics.PUBLISH.name], on_assign=self._on_assign, on_revoke=self._on_leave, on_lost=self._on_leave
            )
            with ThreadPoolExecutor(RENDERING_THREADS, thread_name_prefix="renditions") as rendering:
                while not stop.is_set():
                    self._turn(transactions, rendering)
        finally:
            self._consumer.close()
            transactions.close()

    def _turn(self, transactions: Transactions, rendering: ThreadPoolExecutor) -> None:
        self._moved = False
        batch = [_Work(delivery(message)) for message in self._consume(BATCH_WITHIN_S)]
        if not batch:
            return
        polled.labels(ROLE, "-").inc(len(batch))
        try:
            if self._moved:
                raise Dropped("partitions changed hands while it was read")
            batch = self._only_one_where_care_is_needed(batch)
            self._work(batch, rendering)
            self._commit(batch, transactions)
        except Unavailable as away:
            log.warning("waiting", reason=str(away))
            self._stop.wait(waiting.AWAY_WAIT_S)
            self._drop(batch, str(away))
        except (Dropped, Aborted) as reason:
            self._drop(batch, str(reason))

    def _drop(self, batch: Sequence[_Work], reason: str) -> None:
        log.warning("batch dropped", reason=reason, deliveries=len(batch))
        ended.labels(ROLE, "-", "dropped").inc(len(batch))
        self._rewind([work.delivery for work in batch])

    def _only_one_where_care_is_needed(self, batch: list[_Work]) -> list[_Work]:
        """The batch or, where one in it may end this process, its first; the others are read again."""
        if len(batch) == 1 or not any(self._isolation.is_careful(work.delivery) for work in batch):
            return batch
        self._drop(batch[1:], "one by one")
        return batch[:1]

    def _work(self, batch: Sequence[_Work], rendering: ThreadPoolExecutor) -> None:
        try:
            with self._isolation.trying(batch[0].delivery):
                list(rendering.map(self._prepare, batch))
                for work in batch:
                    self._apply(work)
        except Refused as why:  # it is not tried again: it ended this process too often
            if not is_untouchable(why):  # else it may have been its decoding; then no asset is told to fail
                with suppress(Refused):
                    batch[0].request = batch[0].request or self._request_in(batch[0].delivery)
            batch[0].refusal = why
            self._apply(batch[0])

    def _consume(self, within_s: float) -> list[Message]:
        self._turned()
        return [message for message in self._consumer.consume(BATCH_MAX, within_s) if _is_record(message)]

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._moved = self.has_joined = True
        consumer.assign(partitions)
        consumer.resume(partitions)  # one that was paused when it was revoked would come back paused

    def _on_leave(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._moved, self.has_joined = True, False
        self._isolation.left([(each.topic, each.partition) for each in partitions])

    def _rewind(self, deliveries: Sequence[Delivery]) -> None:
        """Back to the first delivery of each partition that is ours; any other comes from its committed offset."""
        first: dict[tuple[str, int], int] = {}
        for each in deliveries:
            first.setdefault((each.topic, each.partition), each.offset)
        for ours in self._consumer.assignment():
            offset = first.get((ours.topic, ours.partition))
            if offset is not None:
                self._consumer.seek(TopicPartition(ours.topic, ours.partition, offset))

    def _prepare(self, work: _Work) -> None:
        """Decodes the request and makes the files that it will need; runs beside others of the batch."""
        where = work.delivery
        try:
            work.request = self._request_in(where)
            if isinstance(work.request, PublishRequested):
                work.prepared = self._publication.prepare(work.request, where.position, where.timestamp_ms)
        except Refused as refusal:
            work.refusal = refusal
        except Exception as error:  # `apply` meets it again, and waits for a store that is away
            log.info("not prepared", reason=str(error), position=where.position)

    def _apply(self, work: _Work) -> None:
        where = work.delivery
        with span("publish", as_mapping(where.headers), {"packshot.position": where.position}):
            try:
                work.records = self._answer(work)
                log.info("applied", position=where.position, announced=len(work.records))
            except Refused as refusal:
                log.error("refused", code=refusal.code, reason=str(refusal), position=where.position)
                work.refusal = refusal
                work.records = [self._letter(where, refusal), *self._failed(work.request, refusal)]

    def _letter(self, where: Delivery, refusal: Refused) -> Outgoing:
        now_ms = time.time_ns() // 1_000_000
        letter = self._patiently(lambda: self._letters.letter(where, refusal, now_ms), where.position)
        return with_trace(letter, refusal)

    def _answer(self, work: _Work) -> list[Outgoing]:
        """What is to be announced, at the second try at the latest. Raises Refused."""
        if work.refusal is not None:
            raise work.refusal
        try:
            return self._try(work)
        except (Refused, Dropped, KafkaException):
            raise
        except Exception:
            log.exception("unexpected error; once more", position=work.delivery.position)
        try:
            work.prepared = None
            return self._try(work)
        except (Refused, Dropped, KafkaException):
            raise
        except Exception as error:
            log.exception("unexpected error", position=work.delivery.position)
            raise poison(error, ROLE, work.delivery.topic) from error

    def _try(self, work: _Work) -> list[Outgoing]:
        where = work.delivery
        request = work.request = work.request or self._request_in(where)
        announcements = self._patiently(
            lambda: self._publication.apply(request, where.position, work.prepared, where.timestamp_ms), where.position
        )
        return [self._outgoing(each) for each in announcements]

    def _patiently(self, call: Callable[[], T], position: str) -> T:
        """What the call returns; waits while the facts or a store are away, or refuse everything."""
        return waiting.wait_out(call, self._stay, also=(StoreRefused,), position=position)

    def _stay(self, seconds: float) -> None:
        """Waits as a live member of the group, reading nothing. Raises Dropped when that was in vain."""
        self._consumer.pause(self._consumer.assignment())
        read = self._consume(seconds)
        self._consumer.resume(self._consumer.assignment())
        self._rewind([delivery(message) for message in read])
        if self._moved or self._stop.is_set():
            raise Dropped("partitions changed hands" if self._moved else "told to stop")

    def _commit(self, batch: Sequence[_Work], transactions: Transactions) -> None:
        while True:
            try:
                records = [record for work in batch for record in work.records]
                transactions.write(records, _after(batch), self._consumer)
                break
            except TooLarge as too_large:
                self._bury(batch, too_large)
        committed.labels(ROLE, "-").inc(len(batch))
        for work in batch:
            ended.labels(ROLE, "-", "done" if work.refusal is None else "dead").inc()

    def _bury(self, batch: Sequence[_Work], too_large: TooLarge) -> None:
        """The end of a request whose announcement no topic takes."""
        [work] = [each for each in batch if any(record is too_large.record for record in each.records)]
        if work.refusal is not None:
            raise too_large  # it is the letter itself
        work.refusal = Refused("record_too_large", str(too_large))
        self._apply(work)

    def _request_in(self, read: Delivery) -> Request:
        event = event_in(read, self._codec)
        assert isinstance(event, PublishRequested | AssetWithheld | RetractRequested), "a publisher reads their topic"
        return event

    def _failed(self, request: Request | None, refusal: Refused) -> list[Outgoing]:
        """Tells the streams that an asset will not come, unless the request was none for an asset."""
        if not isinstance(request, PublishRequested):
            return []
        event = PublicationFailed(
            tenant=request.tenant,
            sku=request.sku,
            version=request.version,
            asset=request.asset,
            code=refusal.code,
            field=refusal.field,
            message=refusal.message,
        )
        return [self._outgoing(event)]

    def _outgoing(self, event: Event) -> Outgoing:
        return outgoing(event, "packshot/publisher", codec=self._codec)


def _after(batch: Sequence[_Work]) -> list[TopicPartition]:
    """The offset behind the last delivery of each partition."""
    behind = {(work.delivery.topic, work.delivery.partition): work.delivery.offset + 1 for work in batch}
    return [TopicPartition(topic, partition, offset) for (topic, partition), offset in behind.items()]


def _is_record(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.fatal():
        raise KafkaException(error)
    log.warning("kafka", error=str(error))
    return False
